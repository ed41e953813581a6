"""Workflows that edit a given picture."""

from ...comfyui.environment import TOY_CHECKPOINT
from ..subgraph import Cut
from ..workflow import Choice, Graph
from . import steps_of_an_edit as step
from .shared import EXAMPLE_PICTURE, Parts, edited_model, mask_preset


def diffedit(
    checkpoint: str = TOY_CHECKPOINT,
    picture: str = EXAMPLE_PICTURE,
    source: str = "a red rose",
    target: str = "a blue rose",
    seed: int = 1,
    preset: str = step.RECOMMENDED,
) -> Graph:
    """The three steps of DiffEdit on one picture."""
    graph, loader, image, latent = step.given_picture(checkpoint, picture)
    shows, wanted = step.two_prompts(graph, loader, source, target)
    graph.group("1. Where to edit")
    mask = step.masked(graph, "1. Where to edit", loader, image, latent, shows, wanted, seed, preset)
    graph.group("2. Back to noise")
    inverted = step.inverted(graph, "2. Back to noise", loader, latent)
    graph.group("3. Repaint inside the mask")
    edited = step.repainted(graph, "3. Repaint inside the mask", loader[0], loader[1], wanted[0], inverted, mask[0], seed)
    step.edited_picture(graph, loader, image, edited, mask, "diffedit")
    roundtrip = graph.add("VAEDecode", "Decode the original", samples=latent[0], vae=loader[2])
    graph.add("PreviewImage", "Original through the VAE", images=roundtrip[0])
    return graph


def time_edit_of_a_picture(
    checkpoint: str = TOY_CHECKPOINT,
    picture: str = EXAMPLE_PICTURE,
    source: str = "a rose",
    destination: str = "a blue rose",
    seed: int = 1,
) -> Graph:
    """Both methods joined: where in this picture would an edit of the model act? Then apply it there, and only there."""
    graph, loader, image, latent = step.given_picture(checkpoint, picture)
    edit = edited_model(graph, loader, source, destination, lamb=0.1)
    shows = graph.add("CLIPTextEncode", "What the picture shows", clip=loader[1], text=source)
    graph.group("1. Where to edit")
    mask = graph.add(
        "DiffEditMask",
        "1. Where the edited model disagrees",
        model=loader[0],
        latent=latent[0],
        target=shows[0],
        seed=seed,
        compare=Choice("two models", {"target_model": edit[0]}),
        picture=image[0],
        **{**step.MASK, "grow": 1},
    )
    graph.group("2. Back to noise")
    inverted = step.inverted(graph, "2. Back to noise, with the plain model", loader, latent)
    graph.group("3. Repaint inside the mask")
    edited = step.repainted(
        graph, "3. Repaint with the edited model, same prompt", edit[0], loader[1], shows[0], inverted, mask[0], seed
    )
    step.edited_picture(graph, loader, image, edited, mask, "time_of_a_picture")
    return graph


def diffedit_advanced(
    checkpoint: str = TOY_CHECKPOINT, picture: str = EXAMPLE_PICTURE, source: str = "a red rose", target: str = "a blue star"
) -> Graph:
    """Another rule on the same heat map, an inversion that comes back exactly, its states, and the host's own samplers."""
    graph, loader, image, latent = step.given_picture(checkpoint, picture)
    shows, wanted = step.two_prompts(graph, loader, source, target)
    empty = graph.add("CLIPTextEncode", "Empty prompt", clip=loader[1], text="")
    graph.group("1. Where to edit")
    contrast = graph.add(
        "DiffEditMask",
        "Contrast once",
        model=loader[0],
        latent=latent[0],
        target=wanted[0],
        seed=1,
        compare=step.TWO_PROMPTS,
        source=shows[0],
        picture=image[0],
        **{**mask_preset("published"), "noise_strength": 0.75},
    )
    mask = graph.add(
        "HeatmapToMask",
        "Then try rules without the model",
        heatmap=contrast[1],
        rule=Choice("area", {"area": 25.0}),
        smooth=0.5,
        grow=1,
        fill_holes=True,
        picture=image[0],
    )
    graph.group("2. Back to noise")
    inverted = graph.add(
        "DDIMInvert",
        "Back to noise, exactly invertible",
        model=loader[0],
        latent=latent[0],
        steps=30,
        strength=0.9,
        cfg=1.0,
        method=Choice("o-belm"),
        positive=empty[0],
        walk_back=True,
    )
    states = graph.add("TrajectoryStates", "The way to noise", model=loader[0], trajectory=inverted[1], count=6)
    seen = graph.add("VAEDecode", "Decode the way", samples=states[0], vae=loader[2])
    graph.add("SaveImage", "The way, from noise to picture", images=seen[0], filename_prefix="diffedit_states")
    graph.group("3. Repaint inside the mask")
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
    step.edited_picture(graph, loader, image, edited, mask, "diffedit_advanced")

    graph.group("The same by the host's own nodes")
    sampler = graph.add(
        "MaskedLatentSampler",
        "The same as a sampler",
        model=loader[0],
        trajectory=inverted[1],
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


BY_THE_HOST = (
    Cut(
        name="By the host's own nodes",
        description="Repaints inside the mask in the host's SamplerCustomAdvanced, and inpaints from the inverted noise.",
        takes={
            "model": ("Load the model", 0),
            "vae": ("Load the model", 2),
            "latent": ("Encode", 0),
            "guider": ("Guide", 0),
            "sampler": ("Any sampler", 0),
            "trajectory": ("Back to noise, exactly invertible", 1),
            "sigmas": ("Back to noise, exactly invertible", 2),
            "noise": ("Back to noise, exactly invertible", 4),
            "mask": ("Then try rules without the model", 0),
        },
        gives={"repainted": ("Decode the host's", 0), "inpainted": ("Decode the inpainting", 0)},
    ),
)


def edit_of_a_small_thing(
    checkpoint: str = TOY_CHECKPOINT,
    picture: str = EXAMPLE_PICTURE,
    source: str = "a red rose",
    target: str = "a blue rose",
    size: int = 128,
    seed: int = 1,
) -> Graph:
    """A thing that the model sees in a few latent cells: cut out, edited at the size at which the model is good, laid back."""
    graph, loader, image, latent = step.given_picture(checkpoint, picture)
    shows, wanted = step.two_prompts(graph, loader, source, target)
    graph.group("1. Where to edit")
    mask = step.masked(graph, "1. Where to edit, in the whole picture", loader, image, latent, shows, wanted, seed)
    graph.group("2. Cut out and enlarged")
    crop = graph.add(
        "CropAroundMask", "2. Only what is around it, enlarged", picture=image[0], mask=mask[0], context=0.5, size=size
    )
    graph.add("PreviewImage", "What is edited", images=crop[0])
    enlarged = graph.add("VAEEncode", "Encode the crop", pixels=crop[0], vae=loader[2])
    graph.group("3. Back to noise")
    inverted = step.inverted(graph, "3. Back to noise", loader, enlarged)
    graph.group("4. Repaint inside the mask")
    edited = step.repainted(graph, "4. Repaint inside the mask", loader[0], loader[1], wanted[0], inverted, crop[1], seed)
    graph.group("5. Back into the picture")
    decoded = graph.add("VAEDecode", "Decode", samples=edited[0], vae=loader[2])
    stitched = graph.add(
        "StitchCrop",
        "5. Back into the picture",
        original=image[0],
        edited=decoded[0],
        crop=crop[2],
        feather=0,
        mask=crop[1],
        soft_edge=step.SOFT_EDGE,
    )
    title = "Edited inside the mask, untouched outside"
    graph.add("SaveImage", title, images=stitched[0], filename_prefix="small_thing")
    graph.add("SaveImage", "The edited crop", images=decoded[0], filename_prefix="small_thing_crop")
    return graph


def instruction_edit(
    model: str | Parts = TOY_CHECKPOINT,
    picture: str = EXAMPLE_PICTURE,
    instruction: str = "a blue rose",
    seed: int = 1,
) -> Graph:
    """An instruction model paints the whole picture anew; what the instruction is not about is kept by a mask of its drift.

    With the parts of Flux Kontext as its own template has it. The worlds have no instruction model: there the checkpoint
    paints over the noised picture, which drifts as well.
    """
    kontext = isinstance(model, Parts)
    graph = Graph()
    graph.group("The picture, and what to change in it")
    network, clip, vae = step.loaded(graph, model)
    given = graph.add("LoadImage", "Picture to edit", image=picture)
    image = graph.add("FluxKontextImageScale", "In a size that the model keeps", image=given[0]) if kontext else given
    latent = graph.add("VAEEncode", "Encode", pixels=image[0], vae=vae)
    said = graph.add("CLIPTextEncode", "What to change", clip=clip, text=instruction)
    wanted = graph.add("ReferenceLatent", "In this picture", conditioning=said[0], latent=latent[0])
    nothing = graph.add("ConditioningZeroOut", "No negative prompt", conditioning=said[0])
    graph.group("1. What the model makes of it")
    guided = graph.add("FluxGuidance", "Guide", conditioning=wanted[0], guidance=2.5)
    painted = graph.add(
        "KSampler",
        "Paint it anew",
        model=network,
        seed=seed,
        steps=20,
        cfg=1.0 if kontext else 5.0,
        sampler_name="euler",
        scheduler="simple",
        positive=guided[0],
        negative=nothing[0],
        latent_image=latent[0],
        denoise=1.0 if kontext else 0.8,
    )
    decoded = graph.add("VAEDecode", "Decode", samples=painted[0], vae=vae)
    graph.add("SaveImage", "As the model painted it", images=decoded[0], filename_prefix="instructed")
    graph.group("2. What the instruction is about")
    mask = graph.add(
        "DiffEditMask",
        "2. Prediction and picture",
        model=network,
        latent=latent[0],
        target=wanted[0],
        seed=seed,
        compare=Choice("prompt and picture"),
        picture=image[0],
        **{**step.MASK, "grow": 1},
    )
    graph.group("3. Has the whole picture moved?")
    drift = graph.add("PictureDrift", "3. Has it moved?", original=image[0], edited=decoded[0])
    graph.add("PreviewAny", "What has moved", source=drift[1])
    graph.group("4. Keep the rest")
    kept = graph.add(
        "CompositeEditedPicture",
        "4. Keep the rest",
        original=image[0],
        edited=drift[0],
        mask=mask[0],
        feather=0,
        seam="seamless",
    )
    title = "Edited inside the mask, untouched outside"
    graph.add("SaveImage", title, images=kept[0], filename_prefix="instructed_kept")
    return graph


def exact_inversion(
    checkpoint: str = TOY_CHECKPOINT, picture: str = EXAMPLE_PICTURE, source: str = "a red rose", steps: int = 20
) -> Graph:
    """A picture to noise and back, without any edit, by three methods: how much of it comes back?"""
    graph, loader, image, latent = step.given_picture(checkpoint, picture)
    shows = graph.add("CLIPTextEncode", "What the picture shows", clip=loader[1], text=source)
    roundtrip = graph.add("VAEDecode", "Decode the original", samples=latent[0], vae=loader[2])
    graph.add("SaveImage", "The best that can come back", images=roundtrip[0], filename_prefix="inversion_original")
    for method, settings in (("ddim", {}), ("fixed point", {"refinements": 5}), ("o-belm", {})):
        graph.group(f"To noise and back by {method}")
        inverted = graph.add(
            "DDIMInvert",
            f"To noise: {method}",
            model=loader[0],
            latent=latent[0],
            steps=steps,
            strength=1.0,
            cfg=1.0,
            method=Choice(method, settings),
            positive=shows[0],
            walk_back=True,
        )
        graph.add("PreviewAny", f"How exact: {method}", source=inverted[3])
        back = graph.add(
            "MaskedLatentSample",
            f"And back: {method}",
            model=loader[0],
            positive=shows[0],
            trajectory=inverted[1],
            cfg=1.0,
            sampler_name="as inverted",
            seed=0,
        )
        decoded = graph.add("VAEDecode", f"Decode {method}", samples=back[0], vae=loader[2])
        graph.add("SaveImage", f"Back by {method}", images=decoded[0], filename_prefix=f"inversion_{method.replace(' ', '_')}")
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
    graph, loader, image, latent = step.given_picture(checkpoint, picture)
    drawn = {"captions": 16, "temperature": 0.8, "top_k": 10, "seed": 0}
    caption = graph.add(
        "CaptionImage",
        "What does the picture show?",
        image=image[0],
        model=blip,
        text="a photo of",
        max_tokens=16,
        decoding=Choice("likeliest word"),
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
            max_tokens=16,
            decoding=Choice("drawn words", drawn),
        )
        graph.add("PreviewAny", f"The captions for {title}", source=captions[0])
        return graph.add("AveragePromptEmbeddings", f"Average of {title}", clip=loader[1], prompts=captions[0])

    now, wanted = concept("what is there", source), concept("what is wanted", target)
    graph.group("1. Where to edit")
    mask = step.masked(graph, "1. Where the directions differ", loader, image, latent, now, wanted, 1)
    graph.group("2. Back to noise")
    inverted = graph.add(
        "DDIMInvert",
        "2. Back to noise, under the caption",
        model=loader[0],
        latent=latent[0],
        positive=shows[0],
        **step.INVERT_DEFAULTS,
    )
    graph.group("3. Repaint inside the mask")
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
    step.edited_picture(graph, loader, image, edited, mask, "captioned")
    return graph
