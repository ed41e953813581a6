"""Step 2. In: latents and the prompt that describes them. Out: a Trajectory, every state from the picture to its noise.

Read `schedule` and `levels`, `methods` (one file each), `invert`, `trajectory`, `way_back`; then `memory`,
`regularisation`, `report`, `inverted_noise` and `trajectory_states`.
"""
