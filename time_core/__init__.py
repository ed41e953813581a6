"""TIME, text-to-image model editing (Orgad, Kawar, Belinkov, ICCV 2023, arXiv 2303.08084): prompts to an edited model.

`edit.build_edit` turns prompts into a `TimeEdit`; `adapter.apply_edit` puts it on a model. Only `adapter` and
`projections` import the host.
"""
