"""In: several prompts, a picture or a concept. Out: a mean of prompts, or captions.

Read `prompt_average`, then `captions`, `captions_folder` and `captions_sampling`.
"""
