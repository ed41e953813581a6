"""In: files and options, or the toy world. Out: tasks, their work, and reports.

Read timed, bias, diffedit and captions for the papers' protocols on any checkpoint; study and quality for the toy world.
"""
