"""In: a text encoder's reader and a request. Out: a TimeEdit, the two thin factors of P and what is known of them.

Read `equations` from above (build_edit), or from below: `request`, `solve`, `lambda_curve`, `verdict`, `time_edit`. What spares
other prompts: `prior` (from `many_prompts`, such as the `everyday` ones) and `exactly`, which meet in `costs`. `combine` makes
one request of several edits. No host, no model.
"""
