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
        maps=10,
        noise_strength=0.5,
        threshold_ratio=3.0,
        threshold=0.5,
        cfg=7.5,
        source=shows[0],
        clip=loader[1],
    )
    inverted = graph.add(
        "DDIMInvert",
        "2. Back to noise",
        model=loader[0],
        latent=latent[0],
        steps=50,
        strength=0.8,
        cfg=1.0,
        method="ddim",
        refinements=3,
        positive=empty[0],
    )
    edited = graph.add(
        "MaskedLatentSample",
        "3. Repaint inside the mask",
        model=loader[0],
        positive=wanted[0],
        negative=empty[0],
        trajectory=inverted[1],
        cfg=7.5,
        sampler_name="euler",
        seed=seed,
        mask=mask[0],
    )
    decoded = graph.add("VAEDecode", "Decode", samples=edited[0], vae=loader[2])
    graph.add("SaveImage", "Edited picture", images=decoded[0], filename_prefix="diffedit")
    graph.add("MaskPreview", "Mask", mask=mask[0])
    pasted = graph.add(
        "ImageCompositeMasked",
        "Paste over the original picture",
        destination=image[0],
        source=decoded[0],
        x=0,
        y=0,
        resize_source=False,
        mask=mask[0],
    )
    graph.add(
        "SaveImage", "Edited inside the mask, untouched outside", images=pasted[0], filename_prefix="diffedit_pasted"
    )
    roundtrip = graph.add("VAEDecode", "Decode the original", samples=latent[0], vae=loader[2])
    graph.add("PreviewImage", "Original through the VAE", images=roundtrip[0])
    return graph


EXAMPLES = {"time_edit_model": time_edit, "diffedit": diffedit}
