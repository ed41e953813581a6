"""Where a model reads text: its cross-attention keys and values, or the layer by which text enters."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

PARTS = ("down", "middle", "up")
NUMBERS = re.compile(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?")


@dataclass(frozen=True)
class Projection:
    """A weight, (out, text width), or the `rows` (start, length) of a fused one.

    `kind` is "key", "value" or "entry"; `block` counts the blocks in the order of the forward pass, from 0; `part` is
    one of PARTS for U-Nets and "" elsewhere.
    """

    name: str
    rows: tuple[int, int] | None
    kind: str
    block: int
    part: str = ""

    @property
    def patch_key(self) -> str | tuple[str, tuple[int, int, int]]:
        """What ModelPatcher.add_patches takes."""
        return self.name if self.rows is None else (self.name, (0, *self.rows))


@dataclass(frozen=True)
class TextReading:
    """How a model reads text.

    `width` is that of the rows that the projections read. `projector` is "" if these are the text encoder's own, and
    else the family, whose own projector stands between. `track` names the text encoder whose tokens the rows stand for
    where the host's CLIP has several and it does not follow from their number.
    """

    family: str
    width: int
    projections: tuple[Projection, ...]
    projector: str = ""
    track: str = ""

    def chosen(self, edit_keys: bool, edit_values: bool, layers: str = "all") -> tuple[Projection, ...]:
        """The projections to edit.

        Raises ValueError if neither keys nor values are chosen, if an entry layer is to be split into them, or for
        layers that the model does not have.
        """
        require_any(edit_keys, edit_values)
        entry = any(projection.kind == "entry" for projection in self.projections)
        if entry and not (edit_keys and edit_values):
            raise ValueError(
                f"{self.family} reads text by one entry layer for keys and values together; turn on both edit_keys and "
                "edit_values."
            )
        kinds = {"entry"} | ({"key"} if edit_keys else set()) | ({"value"} if edit_values else set())
        blocks = parse_layers(layers, self.projections)
        return tuple(p for p in self.projections if p.kind in kinds and p.block in blocks)


def require_any(edit_keys: bool, edit_values: bool) -> None:
    """Raise ValueError if neither keys nor values are to be edited."""
    if not (edit_keys or edit_values):
        raise ValueError("edit_keys and edit_values are both off, so nothing would be edited; turn on at least one.")


def named_layers(layers: str) -> list[str | range]:
    """What `layers` names, whether a model has it or not: "all", one of PARTS, or block numbers.

    Raises ValueError naming what no model has.
    """
    named: list[str | range] = []
    for item in (piece.strip() for piece in layers.split(",")):
        numbers = NUMBERS.fullmatch(item)
        if numbers is None and item not in ("all", *PARTS):
            raise ValueError(f"layers has {item!r}; write all, down, middle, up, or numbers such as 0-5, 9.")
        named.append(item if numbers is None else range(int(numbers[1]), int(numbers[2] or numbers[1]) + 1))
        if not named[-1]:
            raise ValueError(f"layers has {item!r}, which counts down; write the smaller number first.")
    return named


def parse_layers(layers: str, projections: Sequence[Projection]) -> set[int]:
    """The block numbers that `layers` names: "all", "down", "middle", "up", numbers and ranges such as "0-5, 9".

    Raises ValueError as `named_layers`, or naming what is not there.
    """
    count = max(projection.block for projection in projections) + 1
    parts = {part: {p.block for p in projections if p.part == part} for part in PARTS}
    chosen: set[int] = set()
    for named in named_layers(layers):
        if named == "all":
            chosen |= set(range(count))
        elif isinstance(named, str):
            if not parts[named]:
                raise ValueError(f"layers names {named!r}, but this model has no such part; use all, or 0 to {count - 1}.")
            chosen |= parts[named]
        elif named[-1] >= count:
            raise ValueError(f"layers names {named[-1]}; this model has the layers 0 to {count - 1}.")
        else:
            chosen |= set(named)
    return chosen
