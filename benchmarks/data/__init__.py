"""In: TIMED's files, pictures with prompts. Out: rows and edits to measure.

Read timed and pictures (files). What is drawn, and the programs behind the files here, are with their worlds
(`toyworld.edits`, `toyworld.timed_rows`, `naturalworld.timed_rows`).
"""
