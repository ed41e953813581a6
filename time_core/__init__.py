"""TIME, text-to-image model editing (Orgad, Kawar, Belinkov, ICCV 2023, arXiv 2303.08084): prompts to an edited model.

1. `prompts`: what is typed -> pairs -> rows of text -> which row becomes which.
2. `equations`: these rows -> P -> the edit (TimeEdit).
3. `reading`: where a model reads text, and what it does to it first.
4. `application`: what an edit becomes: a patch of weights or of text, a conditioning, a hook, a LoRA, a file.
5. `balance`: which lambda gives a wanted share of pictures.

Later folders import earlier ones, never the reverse; `balance` imports none, it is handed models that are already edited.
The host is imported by `reading.projections`, `reading.projector`, `reading.current_weight`, `application.apply`,
`application.adapter`, `application.text_route`, `application.hook`, `application.lora` and `balance.probe`; everything else
is torch, Pillow, safetensors and the standard library.
"""
