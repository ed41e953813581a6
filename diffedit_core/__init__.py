"""DiffEdit (Couairon, Verbeek, Schwenk, Cord, ICLR 2023, arXiv 2210.11427): edit a picture from text alone.

1. `mask`: where do two prompts, or two models, disagree about the picture?
2. `inversion`: from the picture back to its noise.
3. `repaint`: sample inside the mask, retrace the inversion outside it.

`model` below them reads off a MODEL what they need; `prompts` beside them makes prompts without writing any. Later steps
import earlier ones, never the reverse. The host is imported by `model.host_model`, `model.guidance`, `model.latent_pictures`,
`mask.contrast`, `mask.live_preview`, `inversion.levels`, `inversion.invert`, `inversion.way_back`,
`repaint.masked_sampling`, `repaint.flow_edit_sampling`, `repaint.crop` and `prompts.captions`; everything else is torch,
numpy, scipy and the standard library.

States live in the host's raw model space: x = signal * clean + sigma * noise, "denoised" is the model's estimate of
clean, and sampling integrates dx/dsigma = (x - denoised) / sigma. A mask is 1 where the picture may change. Latents are
(pictures, channels, height, width), or (pictures, channels, frames, height, width).
"""
