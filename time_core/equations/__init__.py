"""In: a text encoder and pairs of prompts. Out: a TimeEdit, the two thin factors of P and what is known of them.

Read `equations` from above (build_edit), or from below: `pairs`, `prompts`, `text` with `fingerprint`, `alignment`, `placing`,
`solve`, `lambda_curve`, `time_edit`. No host, no model.
"""
