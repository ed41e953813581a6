"""One run of a family: so many examples, drawn anew from a seed."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comfy.utils
from hypothesis import HealthCheck, Phase, given, seed, settings

from . import bar
from .bar import Tally
from .families import Family
from .folders import own_folders

PHASES = (Phase.generate, Phase.shrink)


def run(family: Family, examples: int, number: int | None) -> Tally:
    """How they ended. Raises what the smallest example raises that does not hold, with the example in its notes.

    Args:
        number: the seed; None: the same examples each time.
    """
    tally = Tally()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=PHASES,
        derandomize=number is None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(family.examples)
    def hold(example: Any) -> None:
        family.hold(example, tally)

    with quiet(), own_folders():
        (hold if number is None else seed(number)(hold))()
    bar.check_shared()
    return tally


@contextmanager
def quiet() -> Iterator[None]:
    """Thousands of examples go wrong on purpose, and each would be logged."""
    from transformers.utils import logging as of_transformers

    shown = comfy.utils.PROGRESS_BAR_ENABLED
    comfy.utils.set_progress_bar_enabled(False)
    of_transformers.disable_progress_bar()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        of_transformers.enable_progress_bar()
        comfy.utils.set_progress_bar_enabled(shown)
