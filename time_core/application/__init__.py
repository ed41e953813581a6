"""In: a TimeEdit and where it shall act. Out: an edited MODEL, CONDITIONING or HOOKS, or a file.

Read `apply` (on a model), with `adapter` (its weights) or `text_route` (what they read); then `conditioning`, `hook`, `lora`
and `edit_file`; `atomic` leaves a file whole or not there.
"""
