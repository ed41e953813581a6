"""What the DiffEdit nodes do when a prompt is left out."""

from comfy_api.latest import io


def clip_for_empty_prompts() -> io.Clip.Input:
    return io.Clip.Input(
        "clip",
        optional=True,
        tooltip="Encodes the empty prompt where a prompt is left out. Not needed when all that is read is connected.",
    )


def conditioning_or_empty(conditioning: list | None, clip, input_name: str) -> list:
    """The given conditioning, else the empty prompt encoded with `clip`. Ask only for prompts that are read.

    Raises:
        ValueError: neither is connected.
    """
    if conditioning is not None:
        return conditioning
    if clip is None:
        raise ValueError(
            f"{input_name} is left out, which means the empty prompt, but no clip is connected to encode it. "
            f"Connect clip, or connect a conditioning to {input_name} (an empty CLIP Text Encode for the empty prompt)."
        )
    return clip.encode_from_tokens_scheduled(clip.tokenize(""))
