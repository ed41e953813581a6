"""Prompts that are kept exactly: which of them, and what each costs the edit.

Every row of such a prompt is a direction that the edit may not touch. Where the source's own rows lie in these directions, the
edit is lost with them, so each prompt has a price in fit. "exactly if moved" is the influence filter of SPEED (arXiv
2503.07392): prompts that the edit hardly moves are left free, and their directions to the edit.
"""

from dataclasses import dataclass

import torch

from . import solve
from .costs import costs
from .prior import Prior

MOST_PRICED = 32
"""Of more prompts the single prices are not found; each takes a solve."""

FILTER_LAMBDA = 1e-4
"""The lambda, as a share of the rows' mean squared length, of the edit that tells which prompts are moved: the published 0.1
of SD 1.x. One value, so that the same prompts are kept whatever the lambda."""


NOTHING = 1e-6
"""Of the length of the rows that change: what rounding leaves of rows that lie in the directions that are kept."""


@dataclass(frozen=True, eq=False)
class KeptExactly:
    """`prompts` with all of their `rows`, (n, d) each; `free` are those that the filter left free."""

    prompts: tuple[str, ...] = ()
    rows: tuple[torch.Tensor, ...] = ()
    free: tuple[str, ...] = ()


def those_moved(system: solve.System, prompts: tuple[str, ...], rows: tuple[torch.Tensor, ...]) -> KeptExactly:
    """Of the prompts those that the edit of `system` moves at least as much as the mean of them (`solve.leak`)."""
    factors = system.solve(FILTER_LAMBDA * system.mean_square)
    moved = [solve.leak(each, *factors) for each in rows]
    held = [how_far >= sum(moved) / len(moved) for how_far in moved]
    return KeptExactly(
        tuple(prompt for prompt, is_held in zip(prompts, held, strict=True) if is_held),
        tuple(each for each, is_held in zip(rows, held, strict=True) if is_held),
        tuple(prompt for prompt, is_held in zip(prompts, held, strict=True) if not is_held),
    )


def prices(system: solve.System, kept: KeptExactly, prior: Prior | None, rho: float, ridge: float) -> tuple[float, ...]:
    """By how much each prompt, kept exactly and alone, raises the fit residual; () where finding out takes too long.

    Args:
        system: the equations without any prices.
        ridge: lambda in units of a squared row length.
    """
    if len(kept.rows) > MOST_PRICED or (system.folded and system.width > solve.WIDEST):
        return ()

    def residual(*held: torch.Tensor) -> float:
        priced = system.priced(costs(system.width, prior, rho, held))
        return priced.fit_residual(*priced.solve(ridge))

    free = residual()
    return tuple(residual(rows) - free for rows in kept.rows)


def check_something_moves(system: solve.System, kept: KeptExactly) -> None:
    """Raise ValueError if every row that shall change is among what is kept exactly; `system` has its costs."""
    if kept.prompts and system.reach <= NOTHING:
        raise ValueError(
            f"preserve keeps {', '.join(map(repr, kept.prompts[:3]))} exactly, and with that every row of source that "
            'shall change, so no edit is left; take prompts out of preserve, or set preserve_mode to "softly".'
        )
