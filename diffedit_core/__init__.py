"""DiffEdit (Couairon, Verbeek, Schwenk, Cord, ICLR 2023, arXiv 2210.11427): edit a picture from text alone.

Three steps, each a host-facing module over pure functions of tensors:

1. `contrast`: where do two prompts disagree?   noise, heatmap, threshold, masks
2. `invert`: from the picture to its noise.     schedule, step, ddim, fixed_point, inversion, trajectory
3. `masked_sampling`: repaint inside the mask.  virtual_denoiser, masks

Only these three and `host_model` import the host. Everything else is torch, numpy and the standard library.

States live in the host's raw model space: x = clean + sigma * noise, "denoised" is the model's estimate of clean, and
sampling integrates dx/dsigma = (x - denoised) / sigma. A mask is 1 where the picture may change.
"""
