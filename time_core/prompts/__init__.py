"""In: what the user types, and a text encoder. Out: pairs of prompts, their rows, and which row becomes which.

Read `pairs` and `parsing` (what is asked for), `text` with `fingerprint` (rows and tokens), then `alignment` with `matching`,
and `placing`. No host, no model.
"""
