"""Workflows that make pictures with and without a TIME edit."""

from collections.abc import Callable, Iterator
from typing import Any

from ...comfyui.environment import TOY_CHECKPOINT
from ..workflow import Graph, Node
from .shared import EDIT_DEFAULTS, edited_model

LOAD, EDIT, SAMPLE = "1. Load", "2. Edit", "3. Sample, same noise"


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
    graph, loader = _loaded(checkpoint)
    graph.group(EDIT)
    edit = edited_model(graph, loader, source, destination, lamb=lamb)
    graph.group(SAMPLE)
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


def several_edits(
    checkpoint: str = TOY_CHECKPOINT,
    source: str = "a rose\na car\na star",
    destination: str = "a blue rose\na green car\na purple star",
    preserve: str = "a house\na house on grass",
    prompt: str = "a car on grass",
    size: int = 128,
    batch: int = 4,
    lamb: float = 1.0,
    cfg: float = 3.0,
    name: str = "toy edits",
    folder: str = "output",
) -> Graph:
    """Several edits solved in one system, saved as an edit and as a LoRA, and put on the model."""
    graph, loader = _loaded(checkpoint)
    graph.group(EDIT)
    edit = graph.add(
        "TIMEComputeEdit",
        "Edit several assumptions at once",
        clip=loader[1],
        source=source,
        destination=destination,
        lamb=lamb,
        **{**EDIT_DEFAULTS, "preserve": preserve},
    )
    kept = graph.add("TIMESaveEdit", "Keep the edit", time_edit=edit[0], filename=name, folder=folder)
    graph.add(
        "TIMESaveLoRA",
        "The same as a LoRA",
        model=loader[0],
        time_edit=edit[0],
        filename=name,
        strength=1.0,
        tolerance=0.001,
        folder=folder,
    )
    edited = graph.add("TIMEApplyEdit", "Put the edit on the model", model=loader[0], time_edit=kept[0], strength=1.0)
    _before_and_after(graph, loader, prompt, size, batch, cfg, {"before": (loader[0], None), "after": (edited[0], None)})
    return graph


def edited_conditioning(
    checkpoint: str = TOY_CHECKPOINT,
    source: str = "a rose",
    destination: str = "a blue rose",
    prompt: str = "a rose on sand",
    size: int = 128,
    batch: int = 4,
    cfg: float = 3.0,
    lamb: float = 0.1,
) -> Graph:
    """The same edit on the text instead of on the weights, which fits any model, quantised ones and Flux too."""
    graph, loader = _loaded(checkpoint)
    graph.group(EDIT)
    edit = _computed(graph, loader, source, destination, lamb)
    applied = graph.add("TIMEApplyEdit", "On the weights", model=loader[0], time_edit=edit[0], strength=1.0)

    def on_the_text(text: list, which: str) -> list:
        title = f"On the {which} text"
        return graph.add("TIMEEditConditioning", title, conditioning=text, time_edit=edit[0], strength=1.0)[0]

    ways = {"with edited weights": (applied[0], None), "with edited text": (loader[0], on_the_text)}
    _before_and_after(graph, loader, prompt, size, batch, cfg, ways)
    return graph


def word_gate(
    checkpoint: str = TOY_CHECKPOINT,
    source: str = "a rose",
    destination: str = "a blue rose",
    prompt: str = "two roses on sand",
    other: str = "a heart on sand",
    size: int = 128,
    batch: int = 4,
    cfg: float = 3.0,
    lamb: float = 0.1,
) -> Graph:
    """An edit that only prompts with the source's own words get, and what it does to another prompt without this gate."""
    graph, loader = _loaded(checkpoint)
    graph.group(EDIT)
    edit = _computed(graph, loader, source, destination, lamb)

    def encoded(text: str, wake: str, title: str) -> list:
        given = {"text": text, "wake": wake, "synonyms": "", "strength": 1.0}
        return graph.add("TIMETextEncode", title, clip=loader[1], time_edit=edit[0], **given)[0]

    related = encoded(prompt, "all source words", "A prompt with the source's words")
    unrelated = encoded(other, "all source words", "A prompt without them")
    always = encoded(other, "always", "The same, edited all the same")
    given = {"with the words": related, "without the words": unrelated, "without the gate": always}

    def instead(positive: list) -> Callable[[list, str], list]:
        return lambda text, which: positive if which == "positive" else text

    ways = {name: (loader[0], instead(positive)) for name, positive in given.items()}
    _before_and_after(graph, loader, other, size, batch, cfg, {"without any edit": (loader[0], None)} | ways)
    return graph


def combined_edits(
    checkpoint: str = TOY_CHECKPOINT,
    first: tuple[str, str] = ("a rose", "a blue rose"),
    second: tuple[str, str] = ("a car", "a green car"),
    everyday: str = "a house\na tree on grass\ntwo stars\na photo of a moon",
    prompt: str = "a car on grass",
    size: int = 128,
    batch: int = 4,
    cfg: float = 3.0,
    lamb: float = 1.0,
) -> Graph:
    """Two edits, solved jointly again into one that spares what everyday prompts use."""
    graph, loader = _loaded(checkpoint)
    graph.group("2. Edits, such as by two people")
    edits = [_computed(graph, loader, *prompts, lamb) for prompts in (first, second)]
    prior = graph.add("TIMEPrior", "What everyday prompts use", clip=loader[1], prompts=everyday)
    graph.group("3. Into one")
    grown: dict[str, Any] = {f"time_edits.time_edit_{number}": edit[0] for number, edit in enumerate(edits, start=1)}
    joint = graph.add("TIMECombineEdits", "Combine them", clip=loader[1], **grown, prior=prior[0])
    edited = graph.add("TIMEApplyEdit", "Put the edit on the model", model=loader[0], time_edit=joint[0], strength=1.0)
    _before_and_after(graph, loader, prompt, size, batch, cfg, {"before": (loader[0], None), "after": (edited[0], None)})
    return graph


def scheduled_edit(
    checkpoint: str = TOY_CHECKPOINT,
    source: str = "a rose",
    destination: str = "a blue rose",
    prompt: str = "a rose on sand",
    size: int = 128,
    batch: int = 4,
    cfg: float = 3.0,
    lamb: float = 0.1,
    until: float = 0.5,
) -> Graph:
    """An edit for the first steps only, by the host's hooks."""
    graph, loader = _loaded(checkpoint)
    graph.group(EDIT)
    edit = _computed(graph, loader, source, destination, lamb)
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
    _before_and_after(graph, loader, prompt, size, batch, cfg, ways)
    return graph


def edit_and_lora(
    checkpoint: str = TOY_CHECKPOINT,
    lora: str = "toy edits.safetensors",
    source: str = "a moon",
    destination: str = "a red moon",
    prompt: str = "a moon on sand",
    size: int = 128,
    batch: int = 4,
    cfg: float = 3.0,
    lamb: float = 1.0,
) -> Graph:
    """A LoRA and an edit on one model, in both orders. The edit multiplies the weights as they then are."""
    graph, loader = _loaded(checkpoint)
    graph.group("2. LoRA and edit, edit and LoRA")
    edit = _computed(graph, loader, source, destination, lamb)

    def with_lora(model: list, title: str) -> list:
        return graph.add("LoraLoaderModelOnly", title, model=model, lora_name=lora, strength_model=1.0)[0]

    def with_edit(model: list, title: str) -> list:
        return graph.add("TIMEApplyEdit", title, model=model, time_edit=edit[0], strength=1.0)[0]

    by_lora = with_lora(loader[0], "The LoRA")
    ways = {
        "with the LoRA": (by_lora, None),
        "with the LoRA, then the edit": (with_edit(by_lora, "The edit behind it"), None),
        "with the edit, then the LoRA": (with_lora(with_edit(loader[0], "The edit first"), "The LoRA behind it"), None),
    }
    _before_and_after(graph, loader, prompt, size, batch, cfg, ways)
    return graph


def save_and_reuse(
    checkpoint: str = TOY_CHECKPOINT,
    other: str = TOY_CHECKPOINT,
    source: str = "a rose",
    destination: str = "a blue rose",
    prompt: str = "a painting of a rose",
    name: str = "blue roses",
    folder: str = "output",
    size: int = 128,
    batch: int = 4,
    cfg: float = 3.0,
    lamb: float = 1.0,
) -> Graph:
    """An edit made with one checkpoint, kept in a file, and put on another checkpoint with the same text encoder."""
    graph, loader = _loaded(checkpoint, "1. Make the edit and keep it")
    edit = _computed(graph, loader, source, destination, lamb)
    kept = graph.add("TIMESaveEdit", "Keep the edit", time_edit=edit[0], filename=name, folder=folder)
    graph.group("2. Put it on another checkpoint")
    second = graph.add("CheckpointLoaderSimple", "Another with the same text encoder", ckpt_name=other)
    edited = graph.add("TIMEApplyEdit", "Put the edit on it", model=second[0], time_edit=kept[0], strength=1.0)
    graph.add("TIMELoadEdit", "Next time: load it", muted=True, file=f"{folder}/{name}.safetensors", clip=second[1])
    ways = {"before": (second[0], None), "after": (edited[0], None)}
    _before_and_after(graph, second, prompt, size, batch, cfg, ways)
    return graph


def _loaded(checkpoint: str, group: str = LOAD) -> tuple[Graph, Node]:
    """A graph that begins with a loader, in its first group."""
    graph = Graph()
    graph.group(group)
    return graph, graph.add("CheckpointLoaderSimple", "Load the model", ckpt_name=checkpoint)


def _computed(graph: Graph, loader: Node, source: str, destination: str, lamb: float) -> Node:
    """An edit by itself, with the settings of the paper."""
    prompts = {"source": source, "destination": destination}
    return graph.add("TIMEComputeEdit", "Compute the edit", clip=loader[1], **prompts, lamb=lamb, **EDIT_DEFAULTS)


def _before_and_after(graph: Graph, loader: Node, prompt: str, size: int, batch: int, cfg: float, ways: dict) -> None:
    """Pictures from the same noise: `ways` are a name, a model, and what is done with the encoded prompts."""
    graph.group(SAMPLE)
    for name, decoded in zip(ways, sampled(graph, loader, prompt, size, batch, cfg, ways), strict=True):
        graph.add("SaveImage", f"Pictures {name}", images=decoded, filename_prefix=f"time_{name.replace(' ', '_')}")


def sampled(
    graph: Graph, loader: Node, prompt: str, size: int, batch: int, cfg: float, ways: dict, steps: int = 20, seed: int = 1
) -> Iterator[list]:
    """The decoded pictures of each of `ways`, in order."""
    positive = graph.add("CLIPTextEncode", "Prompt", clip=loader[1], text=prompt)
    negative = graph.add("CLIPTextEncode", "Negative prompt (empty)", clip=loader[1], text="")
    empty = graph.add("EmptyLatentImage", "Picture size", width=size, height=size, batch_size=batch)
    for name, (model, change) in ways.items():
        texts = {"positive": positive[0], "negative": negative[0]}
        if change:
            texts = {which: change(text, which) for which, text in texts.items()}
        noise = graph.add(
            "KSampler",
            f"Sample {name}",
            model=model,
            seed=seed,
            steps=steps,
            cfg=cfg,
            sampler_name="euler",
            scheduler="normal",
            latent_image=empty[0],
            denoise=1.0,
            positive=texts["positive"],
            negative=texts["negative"],
        )
        yield graph.add("VAEDecode", f"Decode {name}", samples=noise[0], vae=loader[2])[0]
