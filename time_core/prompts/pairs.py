"""What the user asks for: which prompts shall mean what, which shall stay, and by which choices."""

from dataclasses import dataclass, replace

# How a row of the source prompt finds its row of the destination; `alignment` describes them.
ALIGNMENTS = ("inserted words", "replaced words", "whole prompt")
# Which rows of a prompt are in the equations.
TOKENS = ("all", "without padding", "last word")
# How preserved prompts are kept: as rows of the equations, by their weight (published); exactly, by a projection; or exactly,
# but only those that the edit would move more than it moves them on average.
PRESERVE_MODES = ("softly", "exactly", "exactly if moved")


@dataclass(frozen=True)
class Own:
    """Choices that a pair has of its own, instead of those of the settings; as there."""

    alignment: str
    tokens: str
    augmentations: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """`source` shall mean `destination`; a pair of weight 2 counts like the same pair given twice."""

    source: str
    destination: str
    weight: float = 1.0
    own: Own | None = None


@dataclass(frozen=True)
class Kept:
    """A prompt whose rows stay where they are (c* = c), with its weight in the equations; `tokens` instead of the settings'."""

    prompt: str
    weight: float = 1.0
    tokens: str | None = None


@dataclass(frozen=True)
class Settings:
    """The choices of an edit.

    `lamb` is the ridge: in units of a squared row length, or, if `relative`, as a share of the rows' mean squared
    length. `alignment` is one of ALIGNMENTS, `tokens` one of TOKENS. `edit_keys`, `edit_values` and `layers` say which
    projections the edit is for; `layers` is as `reading.families.text_reading.parse_layers` reads it. `preserve_mode` is one
    of PRESERVE_MODES. `rho` >= 0 is the weight of the prior, 0 without one; `prior` says which it was. `empty_weight` > 0 is
    that of the empty prompt, if `preserve_empty`.
    """

    lamb: float = 0.1
    relative: bool = False
    alignment: str = ALIGNMENTS[0]
    tokens: str = TOKENS[0]
    augmentations: tuple[str, ...] = ()
    preserve_empty: bool = False
    edit_keys: bool = True
    edit_values: bool = True
    layers: str = "all"
    preserve_mode: str = PRESERVE_MODES[0]
    rho: float = 0.0
    prior: str = ""
    empty_weight: float = 1.0


def choices(pair: Pair, settings: Settings) -> Settings:
    """The settings as they are for this pair."""
    return settings if pair.own is None else replace(settings, **vars(pair.own))
