"""Which words of a prompt another prompt has not, told from their embeddings alone.

A row of padding is nearly the row before it, and a word is not nearly the word after it. A word that stays keeps most of its
embedding, also behind others, and moves by as many rows as words came or went; a word that goes has no near row there.
"""

import torch

APART = 0.4  # from the next row, in lengths of a row: a word. On the natural world .7 to 1.5; the end and padding .1 to .2
CHANGED = 0.6  # of what the word that changes most is away from the other prompt's nearest row
LEAST = 0.01  # what the word that changes most is away at least, in lengths of its row; less is rounding


def changed_rows(source: torch.Tensor, target: torch.Tensor) -> list[int]:
    """The rows of `source` that stand for words which `target` has not there.

    Where `target` only adds words before those of `source`, the word that they change most: of "a rose" and "a blue rose" the
    rose.

    Args:
        source, target: (rows, width) a prompt's embeddings each, of one text encoder.

    Returns:
        Ascending; empty if no word changes, as where `target` only adds words behind.
    """
    if source.shape[-1] != target.shape[-1]:
        return []
    source, target = source.float(), target.float()
    words, others = _are_words(source), _are_words(target)
    if not words.any():
        return []
    moved = abs(int(words.sum()) - int(others.sum()))
    places = torch.arange(len(source))[:, None] - torch.arange(len(target))[None]
    distances = torch.cdist(source, target).masked_fill((places.abs() > moved).to(source.device), torch.inf)
    nearest = distances.amin(dim=-1) / _lengths(source)
    away = nearest.where(words & nearest.isfinite(), 0.0)
    most = away.max()
    return (away >= CHANGED * most).nonzero().flatten().tolist() if most >= LEAST else []


def _are_words(rows: torch.Tensor) -> torch.Tensor:
    to_next = (rows[1:] - rows[:-1]).norm(dim=-1) / _lengths(rows[:-1])
    return torch.cat([to_next >= APART, to_next.new_zeros(1, dtype=torch.bool)])


def _lengths(rows: torch.Tensor) -> torch.Tensor:
    return rows.norm(dim=-1).clamp_min(torch.finfo(torch.float32).tiny)
