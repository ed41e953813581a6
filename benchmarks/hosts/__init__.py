"""In: prompts, seeds, edits, pictures, and inputs of nodes. Out: pictures and latents, made in this process or on a server.

Read library and server (pictures of prompts), inputs and editing (DiffEdit).
"""
