"""What both worlds' models are made of: narrow networks that are SD 1.5 exactly once zeros are added.

In: a world's trained weights. Out: a checkpoint that the host loads, and the narrow network in the host's hands. Read
`layers`, `unet` and `text_encoder`, then `build`, then `host_model`; `training` has what both trainings share.
"""
