"""Step 1. In: latents and two prompts, or two models. Out: a Heatmap, and by a rule the cells that may change.

Read `contrast`, `heatmap`, `rules`, `cell_shapes`, `strokes`, `mask_rule`, `masks`; `heat_colours`, `live_preview`,
`pictures_of_heatmap` and `heatmap_file` show it.
"""
