"""In: a TimeEdit and where it shall act. Out: an edited MODEL, CONDITIONING or HOOKS, or a file.

Read `adapter` (on weights), `text_route` (on what they read), `conditioning`, `hook`, `lora`, `edit_file`.
"""
