"""The rows of many prompts, encoded in batches where the text encoder allows it."""

from collections.abc import Callable, Iterator, Sequence

import torch

from ..prompts.text import Text, TextReader
from .prior import Moment, Prior, digest_of

BATCH = 16
SAME = 1e-3
"""Two encodings of the same prompts count as the same if their sums of c c^T differ by less, relative: rounding in half
precision stays far below, and an encoder that mixes the prompts of a batch far above."""


def make_prior(reader: TextReader, prompts: Sequence[str], step: Callable[[int], None] = lambda prompts: None) -> Prior:
    """The prior of `prompts`, with all of their rows, padding included, as the projections read it.

    Args:
        step: called before every batch with the number of its prompts, for progress and interrupts.

    Raises ValueError if there are no prompts, or as TextReader.tracks for what has no meaning in one.
    """
    if not prompts:
        raise ValueError("prompts is empty; write prompts, one a line, or leave it empty for the everyday captions.")
    for prompt in prompts:
        reader.tracks_of(prompt, "prompts")
    moment = Moment(reader.empty.rows.shape[1])
    for rows in encoded(reader, prompts, step):
        moment.add(rows)
    basis, values = moment.shape()
    return Prior(basis, values, len(prompts), digest_of(prompts), reader.fingerprint)


def encoded(reader: TextReader, prompts: Sequence[str], step: Callable[[int], None]) -> Iterator[torch.Tensor]:
    """Rows (n, width) float64 of all prompts, in any order, in as many pieces as it takes."""
    together = batches_are_exact(reader, prompts[:2])
    for start in range(0, len(prompts), BATCH):
        batch = prompts[start : start + BATCH]
        if together:
            step(len(batch))
            if (rows := reader.rows_together(batch)) is not None:
                yield rows
                continue
        yield from (text.rows for text in read_all(reader, batch, lambda: None if together else step(1)))


def read_all(reader: TextReader, prompts: Sequence[str], step: Callable[[], None]) -> list[Text]:
    """The prompts one by one, all of them through the text encoder first; `step` is called before each of these."""
    for prompt in prompts:
        step()
        reader.encode_ahead(prompt)
    return [reader.read(prompt) for prompt in prompts]


def batches_are_exact(reader: TextReader, prompts: Sequence[str]) -> bool:
    """Whether these prompts, encoded together, have the rows that they have one by one."""
    together = reader.rows_together(prompts) if len(prompts) > 1 else None
    if together is None:
        return False
    alone = torch.cat([reader.read(prompt).rows for prompt in prompts])
    if together.shape != alone.shape:
        return False
    expected = alone.T @ alone
    return bool((together.T @ together - expected).norm() <= SAME * expected.norm())
