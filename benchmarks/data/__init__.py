"""In: TIMED's files, pictures with prompts, or the toy world. Out: rows and edits to measure.

Read timed and pictures (files), then toy_prompts and toy_pictures (of the toy world, and the files here).
"""
