"""Some of an edit's pairs, as a request of their own: what they would have been asked for by themselves."""

from collections.abc import Sequence

from ..prompts.pairs import Pair
from .prior import Prior
from .request import Request
from .time_edit import TimeEdit


def check_prior(edit: TimeEdit, prior: Prior | None) -> None:
    """Raise ValueError unless `prior` is the one that the edit was computed with, which is not in it."""
    if edit.settings.rho and str(prior or "") != edit.settings.prior:
        raise ValueError(
            f"time_edit was computed with a prior ({edit.settings.prior}), but prior is {prior or 'not connected'}; connect "
            "that TIME Prior, as pairs of time_edit are solved again without the others."
        )


def part(edit: TimeEdit, pairs: Sequence[Pair], prior: Prior | None = None) -> Request:
    """The request of an edit of `pairs` alone: the edit's settings, what it preserves, and its prior.

    Args:
        pairs: at least one of `edit.pairs`.

    Raises ValueError as `check_prior`.
    """
    check_prior(edit, prior)
    return Request(tuple(pairs), edit.preserve, edit.settings, prior if edit.settings.rho else None)
