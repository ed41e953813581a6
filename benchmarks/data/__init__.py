"""In: TIMED's files, pictures with prompts, or the toy world. Out: rows and edits to measure.

Read timed and pictures (files), then toy_prompts, toy_edits and toy_pictures (drawn ones, and the files here).
"""
