"""The example workflows, as functions that build them. The committed files in example_workflows/ are made from these."""

from .workflow import Graph

TOY_CHECKPOINT = "toyworld.safetensors"
EXAMPLE_PICTURE = "time_diffedit_example.png"


def time_edit(
    checkpoint: str = TOY_CHECKPOINT,
    source: str = "a rose",
    destination: str = "a blue rose",
    prompt: str = "a photo of a rose",
    size: int = 128,
    batch: int = 4,
    steps: int = 20,
    cfg: float = 3.0,
    seed: int = 1,
    lamb: float = 0.1,
) -> Graph:
    """Pictures of one prompt by the model as it is and by the edited model, from the same noise."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=checkpoint)
    edit = graph.add(
        "TIMEEditModel",
        "Edit what the model assumes",
        model=loader[0],
        clip=loader[1],
        source=source,
        destination=destination,
        lamb=lamb,
    )
    graph.nodes[edit.id]["inputs"] |= TIME_DEFAULTS
    positive = graph.add("CLIPTextEncode", "Prompt", clip=loader[1], text=prompt)
    negative = graph.add("CLIPTextEncode", "Negative prompt (empty)", clip=loader[1], text="")
    empty = graph.add("EmptyLatentImage", "Picture size", width=size, height=size, batch_size=batch)
    for model, name in ((loader[0], "before"), (edit[0], "after")):
        sampled = graph.add(
            "KSampler",
            f"Sample {name} the edit",
            model=model,
            seed=seed,
            steps=steps,
            cfg=cfg,
            sampler_name="euler",
            scheduler="normal",
            positive=positive[0],
            negative=negative[0],
            latent_image=empty[0],
            denoise=1.0,
        )
        decoded = graph.add("VAEDecode", f"Decode {name}", samples=sampled[0], vae=loader[2])
        graph.add("SaveImage", f"Pictures {name} the edit", images=decoded[0], filename_prefix=f"time_{name}")
    return graph


TIME_DEFAULTS = {
    "strength": 1.0,
    "edit_keys": True,
    "edit_values": True,
    "augmentations": "A photo of \nAn image of \nA picture of ",
    "preserve": "",
}


EDIT_DEFAULTS = {name: value for name, value in TIME_DEFAULTS.items() if name != "strength"}


def several_edits(
    checkpoint: str = TOY_CHECKPOINT,
    source: str = "a rose\na car\na star",
    destination: str = "a blue rose\na green car\na purple star",
    preserve: str = "a house\na house on grass",
    prompt: str = "a car on grass",
    size: int = 128,
    batch: int = 4,
    lamb: float = 1.0,
    folder: str = "output",
) -> Graph:
    """Several edits solved in one system, saved as an edit and as a LoRA, and put on the model."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=checkpoint)
    edit = graph.add(
        "TIMEComputeEdit",
        "Edit several assumptions at once",
        clip=loader[1],
        source=source,
        destination=destination,
        lamb=lamb,
        **{**EDIT_DEFAULTS, "preserve": preserve},
    )
    kept = graph.add("TIMESaveEdit", "Keep the edit", time_edit=edit[0], filename="toy edits", folder=folder)
    graph.add(
        "TIMESaveLoRA",
        "The same as a LoRA",
        model=loader[0],
        time_edit=edit[0],
        filename="toy edits",
        strength=1.0,
        tolerance=0.001,
        folder=folder,
    )
    edited = graph.add("TIMEApplyEdit", "Put the edit on the model", model=loader[0], time_edit=kept[0], strength=1.0)
    _before_and_after(graph, loader, prompt, size, batch, {"before": (loader[0], None), "after": (edited[0], None)})
    return graph


def edited_conditioning(
    checkpoint: str = TOY_CHECKPOINT, prompt: str = "a rose on sand", size: int = 128, batch: int = 4, lamb: float = 0.1
) -> Graph:
    """The same edit on the text instead of on the weights, which fits any model, quantised ones and Flux too."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=checkpoint)
    edit = graph.add(
        "TIMEComputeEdit",
        "Compute the edit",
        clip=loader[1],
        source="a rose",
        destination="a blue rose",
        lamb=lamb,
        **EDIT_DEFAULTS,
    )
    applied = graph.add("TIMEApplyEdit", "On the weights", model=loader[0], time_edit=edit[0], strength=1.0)

    def on_the_text(text: list, which: str) -> list:
        title = f"On the {which} text"
        return graph.add("TIMEEditConditioning", title, conditioning=text, time_edit=edit[0], strength=1.0)[0]

    ways = {"with edited weights": (applied[0], None), "with edited text": (loader[0], on_the_text)}
    _before_and_after(graph, loader, prompt, size, batch, ways)
    return graph


def scheduled_edit(
    checkpoint: str = TOY_CHECKPOINT,
    prompt: str = "a rose on sand",
    size: int = 128,
    batch: int = 4,
    lamb: float = 0.1,
    until: float = 0.5,
) -> Graph:
    """An edit for the first steps only, by the host's hooks."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=checkpoint)
    edit = graph.add(
        "TIMEComputeEdit",
        "Compute the edit",
        clip=loader[1],
        source="a rose",
        destination="a blue rose",
        lamb=lamb,
        **EDIT_DEFAULTS,
    )
    hook = graph.add("TIMEEditHook", "The edit as a hook", model=loader[0], time_edit=edit[0], strength=1.0)
    first = graph.add("CreateHookKeyframe", "From the start: on", strength_mult=1.0, start_percent=0.0)
    second = graph.add("CreateHookKeyframe", "Later: off", strength_mult=0.0, start_percent=until, prev_hook_kf=first[0])
    scheduled = graph.add("SetHookKeyframes", "Schedule it", hooks=hook[0], hook_kf=second[0])

    def with_the_hook(text: list, which: str) -> list:
        title = f"Give it to the {which} text"
        return graph.add(
            "ConditioningSetProperties",
            title,
            cond_NEW=text,
            strength=1.0,
            set_cond_area="default",
            hooks=scheduled[0],
        )[0]

    ways = {"without the edit": (loader[0], None), "with the scheduled edit": (loader[0], with_the_hook)}
    _before_and_after(graph, loader, prompt, size, batch, ways)
    return graph


def _before_and_after(graph: Graph, loader, prompt: str, size: int, batch: int, ways: dict) -> None:
    """Pictures from the same noise: `ways` are a name, a model, and what is done with the encoded prompts."""
    positive = graph.add("CLIPTextEncode", "Prompt", clip=loader[1], text=prompt)
    negative = graph.add("CLIPTextEncode", "Negative prompt (empty)", clip=loader[1], text="")
    empty = graph.add("EmptyLatentImage", "Picture size", width=size, height=size, batch_size=batch)
    for name, (model, change) in ways.items():
        texts = {"positive": positive[0], "negative": negative[0]}
        if change:
            texts = {which: change(text, which) for which, text in texts.items()}
        sampled = graph.add(
            "KSampler",
            f"Sample {name}",
            model=model,
            seed=1,
            steps=20,
            cfg=3.0,
            sampler_name="euler",
            scheduler="normal",
            latent_image=empty[0],
            denoise=1.0,
            **texts,
        )
        decoded = graph.add("VAEDecode", f"Decode {name}", samples=sampled[0], vae=loader[2])
        graph.add("SaveImage", f"Pictures {name}", images=decoded[0], filename_prefix=f"time_{name.replace(' ', '_')}")


MASK_DEFAULTS = {"maps": 10, "noise_strength": 0.5, "threshold_ratio": 3.0, "threshold": 0.5, "cfg": 7.5}
INVERT_DEFAULTS = {"steps": 50, "strength": 0.8, "cfg": 1.0, "method": "ddim", "refinements": 3}


def diffedit(
    checkpoint: str = TOY_CHECKPOINT,
    picture: str = EXAMPLE_PICTURE,
    source: str = "a red rose",
    target: str = "a blue rose",
    seed: int = 1,
) -> Graph:
    """The three steps of DiffEdit on one picture."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=checkpoint)
    image = graph.add("LoadImage", "Picture to edit", image=picture)
    latent = graph.add("VAEEncode", "Encode", pixels=image[0], vae=loader[2])
    shows = graph.add("CLIPTextEncode", "What the picture shows", clip=loader[1], text=source)
    wanted = graph.add("CLIPTextEncode", "What it shall show", clip=loader[1], text=target)
    empty = graph.add("CLIPTextEncode", "Empty prompt", clip=loader[1], text="")
    mask = graph.add(
        "DiffEditMask",
        "1. Where to edit",
        model=loader[0],
        latent=latent[0],
        target=wanted[0],
        seed=seed,
        source=shows[0],
        clip=loader[1],
        **MASK_DEFAULTS,
    )
    inverted = graph.add(
        "DDIMInvert",
        "2. Back to noise",
        model=loader[0],
        latent=latent[0],
        positive=empty[0],
        **INVERT_DEFAULTS,
    )
    edited = graph.add(
        "MaskedLatentSample",
        "3. Repaint inside the mask",
        model=loader[0],
        positive=wanted[0],
        negative=empty[0],
        trajectory=inverted[1],
        cfg=7.5,
        sampler_name="as inverted",
        seed=seed,
        mask=mask[0],
    )
    decoded = graph.add("VAEDecode", "Decode", samples=edited[0], vae=loader[2])
    graph.add("SaveImage", "Edited picture", images=decoded[0], filename_prefix="diffedit")
    graph.add("MaskPreview", "Mask", mask=mask[0])
    _untouched_outside(graph, image, decoded, mask, "diffedit_pasted")
    roundtrip = graph.add("VAEDecode", "Decode the original", samples=latent[0], vae=loader[2])
    graph.add("PreviewImage", "Original through the VAE", images=roundtrip[0])
    return graph


def _untouched_outside(graph: Graph, image, decoded, mask, prefix: str) -> None:
    pasted = graph.add(
        "CompositeEditedPicture",
        "Keep the original's pixels outside",
        original=image[0],
        edited=decoded[0],
        mask=mask[0],
        feather=0,
    )
    graph.add("SaveImage", "Edited inside the mask, untouched outside", images=pasted[0], filename_prefix=prefix)


def time_edit_of_a_picture(
    checkpoint: str = TOY_CHECKPOINT,
    picture: str = EXAMPLE_PICTURE,
    source: str = "a rose",
    destination: str = "a blue rose",
    seed: int = 1,
) -> Graph:
    """Both methods joined: where in this picture would an edit of the model act? Then apply it there, and only there."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=checkpoint)
    image = graph.add("LoadImage", "Picture to edit", image=picture)
    latent = graph.add("VAEEncode", "Encode", pixels=image[0], vae=loader[2])
    edit = graph.add(
        "TIMEEditModel",
        "Edit what the model assumes",
        model=loader[0],
        clip=loader[1],
        source=source,
        destination=destination,
        lamb=0.1,
    )
    graph.nodes[edit.id]["inputs"] |= TIME_DEFAULTS
    shows = graph.add("CLIPTextEncode", "What the picture shows", clip=loader[1], text=source)
    empty = graph.add("CLIPTextEncode", "Empty prompt", clip=loader[1], text="")
    mask = graph.add(
        "DiffEditMask",
        "1. Where the edited model disagrees",
        model=loader[0],
        latent=latent[0],
        target=shows[0],
        seed=seed,
        target_model=edit[0],
        grow=1,
        **MASK_DEFAULTS,
    )
    inverted = graph.add(
        "DDIMInvert",
        "2. Back to noise, with the plain model",
        model=loader[0],
        latent=latent[0],
        positive=empty[0],
        **INVERT_DEFAULTS,
    )
    edited = graph.add(
        "MaskedLatentSample",
        "3. Repaint with the edited model, same prompt",
        model=edit[0],
        positive=shows[0],
        negative=empty[0],
        trajectory=inverted[1],
        cfg=7.5,
        sampler_name="as inverted",
        seed=seed,
        mask=mask[0],
    )
    decoded = graph.add("VAEDecode", "Decode", samples=edited[0], vae=loader[2])
    graph.add("SaveImage", "Edited picture", images=decoded[0], filename_prefix="time_of_a_picture")
    graph.add("MaskPreview", "Mask", mask=mask[0])
    _untouched_outside(graph, image, decoded, mask, "time_of_a_picture_pasted")
    return graph


def diffedit_advanced(
    checkpoint: str = TOY_CHECKPOINT, picture: str = EXAMPLE_PICTURE, source: str = "a red rose", target: str = "a blue star"
) -> Graph:
    """Another rule on the same heat map, an inversion that comes back exactly, its states, and the host's own samplers."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=checkpoint)
    image = graph.add("LoadImage", "Picture to edit", image=picture)
    latent = graph.add("VAEEncode", "Encode", pixels=image[0], vae=loader[2])
    shows = graph.add("CLIPTextEncode", "What the picture shows", clip=loader[1], text=source)
    wanted = graph.add("CLIPTextEncode", "What it shall show", clip=loader[1], text=target)
    empty = graph.add("CLIPTextEncode", "Empty prompt", clip=loader[1], text="")
    contrast = graph.add(
        "DiffEditMask",
        "Contrast once",
        model=loader[0],
        latent=latent[0],
        target=wanted[0],
        seed=1,
        maps=10,
        noise_strength=0.75,
        threshold_ratio=3.0,
        threshold=0.5,
        cfg=7.5,
        source=shows[0],
    )
    mask = graph.add(
        "HeatmapToMask",
        "Then try rules without the model",
        heatmap=contrast[1],
        threshold_ratio=3.0,
        threshold=0.5,
        rule="area",
        area=25.0,
        smooth=0.5,
        grow=1,
        fill_holes=True,
    )
    inverted = graph.add(
        "DDIMInvert",
        "Back to noise, exactly invertible",
        model=loader[0],
        latent=latent[0],
        steps=30,
        strength=0.9,
        cfg=1.0,
        method="o-belm",
        refinements=3,
        positive=empty[0],
        walk_back=True,
    )
    graph.add("PreviewAny", "What the inversion says", source=inverted[3])
    states = graph.add("TrajectoryStates", "The way to noise", model=loader[0], trajectory=inverted[1], count=6)
    seen = graph.add("VAEDecode", "Decode the way", samples=states[0], vae=loader[2])
    graph.add("SaveImage", "The way, from noise to picture", images=seen[0], filename_prefix="diffedit_states")
    guider = graph.add("CFGGuider", "Guide", model=loader[0], positive=wanted[0], negative=empty[0], cfg=5.0)
    heun = graph.add("KSamplerSelect", "Any sampler", sampler_name="heun")
    edited = graph.add(
        "MaskedLatentSampleAdvanced",
        "Repaint inside the mask",
        guider=guider[0],
        trajectory=inverted[1],
        seed=1,
        sampler=heun[0],
        sigmas=inverted[2],
        mask=mask[0],
    )
    decoded = graph.add("VAEDecode", "Decode", samples=edited[0], vae=loader[2])
    graph.add("SaveImage", "Edited picture", images=decoded[0], filename_prefix="diffedit_advanced")
    graph.add("MaskPreview", "Mask", mask=mask[0])
    _untouched_outside(graph, image, decoded, mask, "diffedit_advanced_pasted")

    sampler = graph.add(
        "MaskedLatentSampler",
        "The same as a sampler",
        model=loader[0],
        trajectory=inverted[1],
        seed=1,
        mask=mask[0],
        sampler=heun[0],
    )
    silent = graph.add("DisableNoise", "No noise: the inversion is the start")
    hosts = graph.add(
        "SamplerCustomAdvanced",
        "In the host's sampling node",
        noise=silent[0],
        guider=guider[0],
        sampler=sampler[0],
        sigmas=inverted[2],
        latent_image=latent[0],
    )
    from_host = graph.add("VAEDecode", "Decode the host's", samples=hosts[0], vae=loader[2])
    graph.add("SaveImage", "The same by the host's node", images=from_host[0], filename_prefix="diffedit_host")
    covered = graph.add("SetLatentNoiseMask", "Mask the latent", samples=latent[0], mask=mask[0])
    inpainted = graph.add(
        "SamplerCustomAdvanced",
        "Inpainting from the inverted noise",
        noise=inverted[4],
        guider=guider[0],
        sampler=heun[0],
        sigmas=inverted[2],
        latent_image=covered[0],
    )
    from_noise = graph.add("VAEDecode", "Decode the inpainting", samples=inpainted[0], vae=loader[2])
    graph.add("SaveImage", "Inpainted from the inverted noise", images=from_noise[0], filename_prefix="diffedit_noise")
    return graph


def captioned_diffedit(
    checkpoint: str = TOY_CHECKPOINT,
    picture: str = EXAMPLE_PICTURE,
    source: str = "a red rose",
    target: str = "a blue rose",
    blip: str = "toy-blip",
    t5: str = "toy-t5",
) -> Graph:
    """No prompt by hand: a caption of the picture, and many captions for each concept, averaged to a direction of the edit."""
    graph = Graph()
    loader = graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=checkpoint)
    image = graph.add("LoadImage", "Picture to edit", image=picture)
    latent = graph.add("VAEEncode", "Encode", pixels=image[0], vae=loader[2])
    sampling = {"max_tokens": 16, "do_sample": True, "temperature": 0.8, "top_k": 10}
    caption = graph.add(
        "CaptionImage",
        "What does the picture show?",
        image=image[0],
        model=blip,
        text="a photo of",
        seed=0,
        captions=1,
        **{**sampling, "do_sample": False},
    )
    graph.add("PreviewAny", "The caption", source=caption[0])
    shows = graph.add("CLIPTextEncode", "Encode the caption", clip=loader[1], text=caption[0])

    def concept(title: str, words: str):
        captions = graph.add(
            "CaptionConcept",
            f"Captions for {title}",
            concept=words,
            model=t5,
            template="Write a caption for a picture of {concept}.",
            seed=0,
            captions=16,
            **sampling,
        )
        graph.add("PreviewAny", f"The captions for {title}", source=captions[0])
        return graph.add("AveragePromptEmbeddings", f"Average of {title}", clip=loader[1], prompts=captions[0])

    now, wanted = concept("what is there", source), concept("what is wanted", target)
    mask = graph.add(
        "DiffEditMask",
        "1. Where the directions differ",
        model=loader[0],
        latent=latent[0],
        target=wanted[0],
        seed=1,
        source=now[0],
        **MASK_DEFAULTS,
    )
    inverted = graph.add(
        "DDIMInvert",
        "2. Back to noise, under the caption",
        model=loader[0],
        latent=latent[0],
        positive=shows[0],
        **INVERT_DEFAULTS,
    )
    edited = graph.add(
        "MaskedLatentSample",
        "3. Repaint in the wanted direction",
        model=loader[0],
        positive=wanted[0],
        negative=now[0],
        trajectory=inverted[1],
        cfg=5.0,
        sampler_name="as inverted",
        seed=1,
        mask=mask[0],
    )
    decoded = graph.add("VAEDecode", "Decode", samples=edited[0], vae=loader[2])
    graph.add("SaveImage", "Edited picture", images=decoded[0], filename_prefix="captioned")
    graph.add("MaskPreview", "Mask", mask=mask[0])
    _untouched_outside(graph, image, decoded, mask, "captioned_pasted")
    return graph


EXAMPLES = {
    "time_edit_model": time_edit,
    "time_several_edits": several_edits,
    "time_edited_conditioning": edited_conditioning,
    "time_scheduled_edit": scheduled_edit,
    "diffedit": diffedit,
    "time_edit_of_a_picture": time_edit_of_a_picture,
    "diffedit_advanced": diffedit_advanced,
    "diffedit_captions": captioned_diffedit,
}
