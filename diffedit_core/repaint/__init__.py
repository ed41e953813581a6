"""Step 3. In: a Trajectory, a mask and the prompt for what shall be there. Out: latents that are the original outside the mask.

Read `background`, `virtual_denoiser`, `blend`, `masked_sampling`; `composite` lays the pixels of the edit over those of the
original; `crop` cuts out a small thing and lays it back. `flow_edit` and `flow_edit_sampling` edit a picture without step 2.
"""
