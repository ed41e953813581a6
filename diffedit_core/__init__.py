"""DiffEdit (Couairon, Verbeek, Schwenk, Cord, ICLR 2023, arXiv 2210.11427): edit a picture from text alone.

Three steps, each a host-facing module over pure functions of tensors:

1. `contrast`: where do two prompts, or two models, disagree?   noise, heatmap, mask_rule, rules, cell_shapes, masks
2. `invert`: from the picture to its noise.                     schedule, step, methods, regularisation, trajectory
3. `masked_sampling`: repaint inside the mask.                  background, virtual_denoiser, masks, composite

`noising` says how a family of models mixes picture and noise, `host_model` reads that off a MODEL. Around the three
steps: `prompt_average` and `captions` (prompts without writing any), `inverted_noise` and `trajectory_states` (an
inversion as NOISE, and for looking at). The host is imported by the three, `host_model`, `levels`, `way_back`,
`live_preview` and `captions` alone; everything else is torch, numpy, scipy and the standard library.

States live in the host's raw model space: x = signal * clean + sigma * noise, "denoised" is the model's estimate of
clean, and sampling integrates dx/dsigma = (x - denoised) / sigma. A mask is 1 where the picture may change. Latents are
(pictures, channels, height, width), or (pictures, channels, frames, height, width).
"""
