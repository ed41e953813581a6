"""TIME, text-to-image model editing (Orgad, Kawar, Belinkov, ICCV 2023, arXiv 2303.08084): prompts to an edited model.

    prompts -> pairs -> text (rows of the text encoder) -> alignment (which row becomes which) -> solve (P) -> edit (TimeEdit)
    TimeEdit -> adapter (on weights), text_route (on what they read), conditioning, hook, edit_file, lora

`projections` and `families` know where a model reads text, `projector` what it does to it first. The host is imported by
adapter, text_route, hook, lora, weights, projections and projector; the rest is plain torch.
"""
