"""In: what the host hands over (MODEL, LATENT, CONDITIONING). Out: what the three steps need of it, or an error.

Read `noising` (how a kind of model mixes picture and noise), `latents`, `guidance`, `host_model`, `model_kind`,
`conditioning`, `noise`, `latent_pictures`.
"""
