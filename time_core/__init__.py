"""TIME, text-to-image model editing (Orgad, Kawar, Belinkov, ICCV 2023, arXiv 2303.08084): prompts to an edited model.

1. `equations`: prompts -> pairs -> rows of text -> which row becomes which -> P -> the edit (TimeEdit).
2. `reading`: where a model reads text, and what it does to it first.
3. `application`: what an edit becomes: a patch of weights or of text, a conditioning, a hook, a LoRA, a file.
4. `balance`: which lambda gives a wanted share of pictures.

Later folders import earlier ones, never the reverse. `reading`, `application` and `balance.probe` import the host; `equations`
and the rest of `balance` are plain torch.
"""
