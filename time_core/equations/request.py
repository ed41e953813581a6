"""All that an edit is asked for, as one value."""

from dataclasses import dataclass

from ..prompts.pairs import Kept, Pair, Settings
from .prior import Prior


@dataclass(frozen=True)
class Request:
    """All that an edit is asked for: `pairs`, at least one, shall change, `preserve` shall stay; `prior` is the prior that
    `settings.rho` weighs."""

    pairs: tuple[Pair, ...]
    preserve: tuple[Kept, ...] = ()
    settings: Settings = Settings()
    prior: Prior | None = None
