"""CLIP zero-shot: how well each text describes each picture (Radford et al., ICML 2021), by the host's CLIP and CLIP_VISION.

`clip` is what Load CLIP gives, `clip_vision` what Load CLIP Vision gives; both must be halves of one CLIP. The TIME paper
judges its pictures so: of two texts the one with the larger cosine wins.
"""

from collections.abc import Sequence
from typing import Any

import torch
from safetensors import safe_open

CLIP_NAMES = ("g", "h", "l")
# The clip_l.safetensors that is usual for SD3 and Flux comes without the projection, which they do not read.
LOAD_WHOLE_CLIP = (
    "Load the text half of a whole CLIP model with Load CLIP, for example the model.safetensors of "
    "openai/clip-vit-large-patch14, which is its ViT-L CLIP Vision model too; the usual clip_l.safetensors will not do."
)
PICTURES_AT_ONCE = 16
TEXTS_AT_ONCE = 32
# Real embeddings are 1 to 100 long before they are normalised; memory that was never written is 0, not finite or tiny.
SHORTEST, LONGEST = 1e-4, 1e6


def scores(clip: Any, clip_vision: Any, pictures: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
    """Cosines (pictures, texts) in -1..1, float32 on the CPU; `pictures` is an IMAGE (n, H, W, 3) in 0..1.

    Raises ValueError as `text_embeddings` and `picture_embeddings` do, or if the halves' widths differ.
    """
    seen = picture_embeddings(clip_vision, pictures)
    return seen @ text_embeddings(clip, texts, seen.shape[1]).T


def picture_embeddings(clip_vision: Any, pictures: torch.Tensor) -> torch.Tensor:
    """Projected embeddings (n, d) of `pictures` (n, H, W, 3) in 0..1, of unit length, float32 on the CPU.

    Pictures are cut to a square in the middle and resized, as CLIP wants them. Raises ValueError for a vision model that
    is no CLIP's, or whose projection was not loaded.
    """
    if clip_vision.model_type != "clip_vision_model":
        raise ValueError(
            f"clip_vision is a {clip_vision.model_type}, whose embeddings fit no text encoder; load one of CLIP, such as ViT-L."
        )
    parts = [clip_vision.encode_image(part)["image_embeds"] for part in pictures.split(PICTURES_AT_ONCE)]
    return _unit(
        torch.cat(parts), "clip_vision has no visual projection, so no text fits its pictures. Load a whole CLIP model."
    )


def text_embeddings(clip: Any, texts: Sequence[str], width: int | None = None) -> torch.Tensor:
    """Pooled and projected embeddings (n, d) of `texts`, of unit length, float32 on the CPU.

    Of several text encoders (SDXL, SD3) the one whose projection is `width` wide; without a width the first of CLIP-G, H
    and L. Parentheses are read as such, not as weights; beyond 77 tokens a text is not read.

    Raises ValueError if no encoder fits, or if the text projection was never loaded, as in SD 1.x checkpoints.
    """
    name = _encoder_of_width(clip, width)
    problem = f"The text encoder {name!r} on clip has no text projection, which checkpoints leave out. {LOAD_WHOLE_CLIP}"
    if not _projection_is_stored(clip, name):
        raise ValueError(problem)
    parts = [texts[first : first + TEXTS_AT_ONCE] for first in range(0, len(texts), TEXTS_AT_ONCE)]
    return _unit(torch.cat([_pooled(clip, name, part) for part in parts]), problem)


def _encoder_of_width(clip: Any, width: int | None) -> str:
    widths = _projection_widths(clip)
    if not widths:
        raise ValueError(f"clip ({', '.join(clip.tokenize(''))}) holds no text encoder of CLIP. {LOAD_WHOLE_CLIP}")
    fitting = [name for name, found in widths.items() if width in (None, found)]
    if not fitting:
        found = ", ".join(f"{name}: {wide}" for name, wide in widths.items())
        raise ValueError(
            f"clip and clip_vision are no pair: pictures have {width} numbers each, texts have others ({found}). "
            "Load both halves of one CLIP model: ViT-L 768, ViT-H 1024, ViT-bigG 1280."
        )
    return fitting[0]


def _projection_widths(clip: Any) -> dict[str, int]:
    """The width of the text projection of each text encoder of CLIP in `clip`."""
    encoders = {name: getattr(clip.cond_stage_model, f"clip_{name}", None) for name in CLIP_NAMES}
    transformers = {name: getattr(encoder, "transformer", None) for name, encoder in encoders.items()}
    projections = {name: getattr(transformer, "text_projection", None) for name, transformer in transformers.items()}
    return {name: projection.out_features for name, projection in projections.items() if projection is not None}


def _pooled(clip: Any, name: str, texts: Sequence[str]) -> torch.Tensor:
    # CLIP.encode_from_tokens cannot be asked for it: SD 1.x models give their pooled output unprojected
    # (SD1CheckpointClipModel), and models with several encoders give that of one only.
    tokens = [clip.tokenize(text, disable_weights=True) for text in texts]
    encoder = getattr(clip.cond_stage_model, f"clip_{name}")
    clip.load_model(tokens[0])
    encoder.reset_clip_options()
    encoder.set_clip_options({"projected_pooled": True, "execution_device": clip.patcher.load_device})
    try:
        return encoder.encode([[token for token, _ in chunks[name][0]] for chunks in tokens])[1]
    finally:
        encoder.reset_clip_options()


def _projection_is_stored(clip: Any, name: str) -> bool:
    """False if the files that `clip` was loaded from are known and hold no text projection for this encoder.

    Needed because the host leaves a missing projection as it finds the memory, which can look like one.
    """
    files = _files(clip)
    if not files:
        return True
    found = sum(_holds_projection(key) for file in files for key in _keys(file))
    # SDXL checkpoints hold CLIP-G's projection and not CLIP-L's.
    return found >= len(_projection_widths(clip)) or (found > 0 and name != "l")


def _holds_projection(key: str) -> bool:
    # The host renames what stands there in SD 1.x checkpoints and so does not load it.
    return "text_projection" in key and not key.startswith("cond_stage_model.transformer.")


def _files(clip: Any) -> list[str]:
    """The safetensors files that `clip` came from; empty if another loader made it or one of another format did."""
    factory = clip.patcher.cached_patcher_init
    paths = factory[1][0] if factory else []
    paths = [paths] if isinstance(paths, str) else list(paths)
    return paths if all(str(path).endswith((".safetensors", ".sft")) for path in paths) else []


def _keys(file: str) -> list[str]:
    with safe_open(file, framework="pt") as tensors:
        return list(tensors.keys())


def _unit(embeddings: torch.Tensor, problem: str) -> torch.Tensor:
    """`embeddings` (n, d) at length 1. Raises ValueError(problem) for lengths that no trained projection gives."""
    embeddings = embeddings.to(device="cpu", dtype=torch.float32)
    lengths = embeddings.norm(dim=1, keepdim=True)
    if not bool(((lengths > SHORTEST) & (lengths < LONGEST)).all()):
        raise ValueError(problem)
    return embeddings / lengths
