"""The mean of several prompts' embeddings: one conditioning for what the prompts have in common.

The DiffEdit guide of Hugging Face's diffusers contrasts two such means, each over captions of one concept, instead of two
single prompts: what the captions do not share averages out, and what is left is the direction of the edit.

A prompt's embedding has rows, one a token, which a model reads by position or as a set; the mean is taken position by
position, over padded rows as the model reads them. A row that a prompt's attention mask hides, or that a shorter prompt does
not have, is not counted for that prompt, neither in the sum nor in the number that it is divided by.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..model.conditioning import same_conditioning

# Encoders whose embeddings stand side by side in the same rows; the rows of another encoder follow them (SD3).
SIDE_BY_SIDE = ("l", "g")
MASK, POOLED, EMBEDDING = "attention_mask", "pooled_output", "conditioning_"


def prompt_lines(prompts: str) -> list[str]:
    """The prompts in `prompts`, one a line, as they are written; blank lines are left out.

    Raises:
        ValueError: no line is left.
    """
    lines = [line for line in prompts.replace("\r", "").split("\n") if line.strip()]
    if not lines:
        raise ValueError("prompts is empty; write at least one prompt, one a line.")
    return lines


def average_prompts(conditionings: Sequence[list], tokens: Sequence[Mapping[str, Any]]) -> list:
    """The mean of conditionings of the same text encoder.

    Rows and pooled vectors are averaged in float64; attention masks are united. Further embeddings among the options
    (keys "conditioning_x", with masks "attention_mask_x") are averaged like the rows. All other options must be equal.
    A conditioning that hooks schedule over the steps has several entries, which are averaged one by one.

    Args:
        conditionings: the host's CONDITIONING of each prompt, a list of [rows (1, n, width), options]; n may differ.
        tokens: the host's tokens of each prompt, {encoder: [chunk of (token, weight, ...)]}.

    Returns:
        A CONDITIONING; of one prompt, its own. Rows and vectors keep their type and device.

    Raises:
        ValueError: an option that is no embedding differs, or only some prompts have it; shapes do not fit together.
    """
    if len(conditionings) == 1:
        return conditionings[0]
    if len({len(entries) for entries in conditionings}) != 1:
        raise ValueError("prompts: the text encoder gives some of the prompts more entries than others; encode them singly.")
    return [_mean_entry(entries, tokens) for entries in zip(*conditionings, strict=True)]


def row_groups(tokens: Mapping[str, Any], rows: int) -> tuple[int, ...]:
    """How many rows each group has whose positions count from its own start.

    SD3 puts the rows of T5 behind those of CLIP, whose number grows by 77 with long prompts: (CLIP's, T5's). All other
    encoders have one group.
    """
    counts = {name: sum(map(len, chunks)) for name, chunks in tokens.items() if _are_chunks(chunks)}
    side_by_side = [count for name, count in counts.items() if name in SIDE_BY_SIDE]
    others = [count for name, count in counts.items() if name not in SIDE_BY_SIDE]
    if side_by_side and any(min(side_by_side) + count == rows for count in others):
        return (min(side_by_side), rows - min(side_by_side))
    return (rows,)


def mean_rows(
    embeddings: Sequence[torch.Tensor], masks: Sequence[torch.Tensor], groups: Sequence[tuple[int, ...]]
) -> tuple[torch.Tensor, torch.Tensor, tuple[int, ...]]:
    """The mean of embeddings, position by position.

    Args:
        embeddings: (..., n, width) of each prompt; n may differ.
        masks: (n,) bool of each, True where a row counts. A position that counts in no prompt is the mean of all that have
            it: padding stays padding.
        groups: how n is divided, see `row_groups`; positions count within their group.

    Returns:
        The mean (..., m, width), where each group is as long as its longest; the united mask (m,); the groups of m.
    """
    if len({len(sizes) for sizes in groups}) != 1:
        raise ValueError("prompts: some have rows of more text encoders than others; encode them singly.")
    parts = [embedding.split(sizes, dim=-2) for embedding, sizes in zip(embeddings, groups, strict=True)]
    counted = [mask.split(sizes) for mask, sizes in zip(masks, groups, strict=True)]
    means, united = zip(*map(_mean_group, zip(*parts, strict=True), zip(*counted, strict=True)), strict=True)
    return torch.cat(means, dim=-2), torch.cat(united), tuple(map(len, united))


def _mean_group(rows: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    first, length = rows[0], max(map(len, masks))
    united = torch.zeros(length, dtype=torch.bool)
    for mask in masks:
        united[: len(mask)] |= mask
    total = torch.zeros(*first.shape[:-2], length, first.shape[-1], dtype=torch.float64)
    number = torch.zeros(length, 1, dtype=torch.float64)
    for values, mask in zip(rows, masks, strict=True):
        counts = (mask | ~united[: len(mask)])[:, None]
        # where, not a product: what a mask hides need not be finite.
        total[..., : len(mask), :] += _exact(values).where(counts, 0.0)
        number[: len(mask)] += counts
    return (total / number).to(first), united


def _mean_entry(entries: Sequence[list], tokens: Sequence[Mapping[str, Any]]) -> list:
    rows, options = zip(*entries, strict=True)
    groups = [row_groups(prompt, embedding.shape[-2]) for prompt, embedding in zip(tokens, rows, strict=True)]
    mean, result = _mean_embedding("embedding", rows, MASK, options, groups)
    names = dict.fromkeys(key for option in options for key in option)
    embeddings = [key for key in names if key.startswith(EMBEDDING)]
    masks = [MASK, *(_mask_of(key) for key in embeddings)]
    for key in names:
        if key in masks:
            continue
        if lacking := [number for number, option in enumerate(options, start=1) if key not in option]:
            raise ValueError(
                f"prompts: the text encoder gives {key!r} for some of them but not for number {lacking[0]}; average prompts "
                "of one kind, such as all with quoted text or all without."
            )
        values = [option[key] for option in options]
        if key in embeddings and _are_tensors(values):
            ends = [(value.shape[-2],) for value in values]
            averaged, mask = _mean_embedding(key, values, _mask_of(key), options, ends)
            result |= {key: averaged, **mask}
        elif key == POOLED and _are_tensors(values):
            _require_equal_shapes(key, [value.shape for value in values])
            result[key] = (functools.reduce(torch.add, map(_exact, values)) / len(values)).to(values[0])
        elif all(same_conditioning(values[0], value) for value in values):
            result[key] = values[0]
        else:
            raise ValueError(
                f"prompts: the text encoder gives each of them another {key!r}, which is no embedding and has no mean; this "
                "model reads single prompts only, so leave one line."
            )
    return [mean, result]


def _mean_embedding(
    name: str,
    embeddings: Sequence[torch.Tensor],
    mask_name: str,
    options: Sequence[Mapping[str, Any]],
    groups: Sequence[tuple[int, ...]],
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The mean, and the united mask under its name if any prompt has one. No mask says that every row counts."""
    _require_equal_shapes(name, [(*embedding.shape[:-2], embedding.shape[-1]) for embedding in embeddings])
    given = [option.get(mask_name) for option in options]
    masks = [_full_mask(mask_name, mask, sizes) for mask, sizes in zip(given, groups, strict=True)]
    mean, united, sizes = mean_rows(embeddings, masks, groups)
    known = [(mask, sum(rows)) for mask, rows in zip(given, groups, strict=True) if mask is not None]
    if not known:
        return mean, {}
    first, rows = known[0]
    united = united if first.numel() == rows else united[-sizes[-1] :]
    return mean, {mask_name: united.to(first)[None]}


def _full_mask(name: str, mask: torch.Tensor | None, sizes: tuple[int, ...]) -> torch.Tensor:
    """A mask (1, n) as (rows,) bool. It may be for the last group only; rows of groups without a mask count."""
    full = torch.ones(sum(sizes), dtype=torch.bool)
    if mask is not None:
        if mask.numel() not in (len(full), sizes[-1]):
            raise ValueError(
                f"prompts: the text encoder gives {name!r} for {mask.numel()} rows where there are {len(full)}; average "
                "prompts that the model reads as text only."
            )
        full[len(full) - mask.numel() :] = mask.flatten().to("cpu", torch.bool)
    return full


def _require_equal_shapes(name: str, shapes: Sequence[tuple[int, ...]]) -> None:
    if len(set(shapes)) != 1:
        raise ValueError(
            f"prompts: the text encoder gives {name!r} in different shapes ({', '.join(map(str, map(tuple, set(shapes))))}, "
            "rows left aside); average prompts of one kind."
        )


def _mask_of(embedding: str) -> str:
    return f"{MASK}_{embedding.removeprefix(EMBEDDING)}"


def _exact(values: torch.Tensor) -> torch.Tensor:
    return values.to(device="cpu", dtype=torch.float64)


def _are_tensors(values: Sequence[Any]) -> bool:
    return all(isinstance(value, torch.Tensor) for value in values)


def _are_chunks(chunks: Any) -> bool:
    """Some tokenizers hand further settings along with the tokens."""
    return isinstance(chunks, list) and all(isinstance(chunk, list) for chunk in chunks)
