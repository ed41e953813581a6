"""In: what the user types, and a text encoder. Out: pairs of prompts, their rows, and which row becomes which.

Read `pairs` and `parsing` (what is asked for), `text` with `fingerprint` (rows and tokens), then `alignment` with `matching`,
and `placing`. `words` and `alternatives` tell by its words what a prompt is about and what it says itself. No host, no model.
"""
