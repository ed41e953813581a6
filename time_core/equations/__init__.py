"""In: a text encoder and pairs of prompts. Out: a TimeEdit, the two thin factors of P and what is known of them.

Read `pairs`, `prompts`, `text`, `alignment`, `placing`, `solve`, `lambda_curve`, `equations`, `time_edit`. No host, no model.
"""
