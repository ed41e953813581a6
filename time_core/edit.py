"""From prompts to a finished edit, the value on the TIME_EDIT socket."""

from dataclasses import dataclass
from typing import Any

import torch

from . import solve, text
from .alignment import Alignment, align
from .prompts import augment


@dataclass(frozen=True)
class Diagnostics:
    """What the solve knows about an edit. Ratios are explained at the function of the same name in `solve`."""

    rows: int
    changed_rows: int
    rank: int
    condition: float
    fit_residual: float
    edit_size: float
    empty_leak: float


@dataclass(frozen=True, eq=False)
class TimeEdit:
    """W' = W (I + left @ right.T) for every key and value projection W that reads `text_width`-wide text.

    `left` and `right` are (text_width, rank) float32 on the CPU; they hold nothing of the model, so an edit fits every
    model with the same text encoder. `alignments` are those of the pairs in order, each followed by its augmentations;
    `inserted` are, per pair, the words that the destination adds.
    """

    left: torch.Tensor
    right: torch.Tensor
    pairs: tuple[tuple[str, str], ...]
    lamb: float
    augmentations: tuple[str, ...]
    preserve: tuple[str, ...]
    alignments: tuple[Alignment, ...]
    inserted: tuple[str, ...]
    diagnostics: Diagnostics

    @property
    def text_width(self) -> int:
        return self.left.shape[0]

    def summary(self) -> str:
        """The edit and how well it went, in a few lines."""
        d = self.diagnostics
        lines = [f"{old} -> {new} (adds: {words})" for (old, new), words in zip(self.pairs, self.inserted, strict=True)]
        lines += [f"kept: {prompt}" for prompt in self.preserve]
        lines += [
            f"lambda {self.lamb:g}, {d.changed_rows} of {d.rows} token rows change",
            f"fit residual {d.fit_residual:.3g} (0: the source now means the destination; 1: as before)",
            f"leak on the empty prompt {d.empty_leak:.3g}",
            f"rank {d.rank}, size {d.edit_size:.3g} of the weights, condition number {d.condition:.2g}",
        ]
        return "\n".join(lines)


def build_edit(
    clip: Any,
    pairs: tuple[tuple[str, str], ...],
    lamb: float,
    augmentations: tuple[str, ...] = (),
    preserve: tuple[str, ...] = (),
) -> TimeEdit:
    """Solve all pairs in one system (equation 5 of arXiv 2303.08084, with the authors' alignment of token rows).

    Args:
        clip: the host's CLIP, with one text encoder of 77 rows.
        pairs: (source, destination) prompts.
        lamb: the ridge, > 0; the paper uses 0.1.
        augmentations: beginnings that are put before source and destination as further rows.
        preserve: prompts whose rows are kept (c* = c).

    Raises ValueError where a destination lacks a source word, a pair changes nothing, a preserved prompt is one that
    the edit changes, or text.tokenize or solve.edit_factors object.
    """
    solve.check_lambda(lamb)
    texts = [
        (old, new)
        for pair in pairs
        for old, new in zip(augment(pair[0], augmentations), augment(pair[1], augmentations), strict=True)
    ]
    articles = text.articles(clip)
    alignments = tuple(_align(clip, old, new, articles) for old, new in texts)
    _check_preserved(clip, preserve, {alignment.source_tokens for alignment in alignments})

    sources, destinations = [], []
    for (old, new), alignment in zip(texts, alignments, strict=True):
        source, destination = text.encode(clip, old), text.encode(clip, new)[list(alignment.positions)]
        if not solve.changed_rows(source, destination).any():
            raise ValueError(
                f"source {old!r} and destination {new!r} mean the same to this text encoder, so there is nothing to "
                "edit; let destination say something else."
            )
        sources.append(source)
        destinations.append(destination)
    kept = [text.encode(clip, prompt) for prompt in preserve]
    source, destination = torch.cat(sources + kept), torch.cat(destinations + kept)

    left, right = (
        factor.to(torch.float32).contiguous() for factor in solve.low_rank(*solve.edit_factors(source, destination, lamb))
    )
    return TimeEdit(
        left=left,
        right=right,
        pairs=tuple(pairs),
        lamb=lamb,
        augmentations=tuple(augmentations),
        preserve=tuple(preserve),
        alignments=alignments,
        inserted=tuple(_inserted(clip, alignment) for alignment in alignments[:: 1 + len(augmentations)]),
        diagnostics=_diagnose(clip, source, destination, lamb, left.double(), right.double()),
    )


def _align(clip: Any, old: str, new: str, articles: tuple[int, int]) -> Alignment:
    source, destination = text.tokenize(clip, old), text.tokenize(clip, new)
    try:
        return align(source, destination, text.token_words(clip, source), articles, length=text.ROWS)
    except ValueError as error:
        raise ValueError(f"{old!r} -> {new!r}: {error}") from None


def _check_preserved(clip: Any, preserve: tuple[str, ...], edited: set[tuple[int, ...]]) -> None:
    for prompt in preserve:
        if text.tokenize(clip, prompt) in edited:
            raise ValueError(f"preserve lists {prompt!r}, which source asks to change; remove it from one of them.")


def _inserted(clip: Any, alignment: Alignment) -> str:
    return text.decode(clip, [alignment.destination_tokens[position] for position in alignment.inserted])


def _diagnose(
    clip: Any, source: torch.Tensor, destination: torch.Tensor, lamb: float, left: torch.Tensor, right: torch.Tensor
) -> Diagnostics:
    """`left` and `right` are the factors as rounded, so that the numbers describe what the model gets."""
    return Diagnostics(
        rows=source.shape[0],
        changed_rows=int(solve.changed_rows(source, destination).sum()),
        rank=left.shape[1],
        condition=solve.condition_number(source, lamb),
        fit_residual=solve.fit_residual(source, destination, left, right),
        edit_size=solve.edit_size(left, right),
        empty_leak=solve.leak(text.encode(clip, ""), left, right),
    )
