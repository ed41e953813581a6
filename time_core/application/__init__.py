"""In: a TimeEdit and where it shall act. Out: an edited MODEL, CONDITIONING or HOOKS, or a file.

Read `apply` (on a model), with `adapter` (its weights) or `text_route` (what they read); then `conditioning` with
`word_gate` (which prompts it is for), `hook`, `lora` and `edit_file`; `prior_file` keeps priors, and `atomic` leaves a file
whole or not there.
"""
