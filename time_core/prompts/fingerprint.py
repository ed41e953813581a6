"""Which text encoder an edit belongs to: measured on a probe, so that copies in another precision count as the same."""

import hashlib
import math
from dataclasses import dataclass

import torch

# Any text will do, as long as it never changes: saved edits carry what it was encoded to.
PROBE = "A photo of a red rose beside an old wooden house, 1904"
NUMBERS = 32
# Rounding a text encoder to half precision moves its probe by about 1e-3, to 8 bits by a few percent; another
# training moves it by more than that.
TOLERANCE = 0.05
# A projector's own weights, cast to 8 bits without scales, move by up to 7 %; those of another model are 140 % away.
PROJECTOR_TOLERANCE = 0.1


@dataclass(frozen=True)
class Fingerprint:
    """What an edit's rows were made with.

    `encoder` names the text encoders and `width` is that of the rows. `probe` are the encoded PROBE, summed up in
    NUMBERS numbers. Where the rows passed the model's own text projector before its keys and values, `projector` names
    the model family and `projector_probe` are numbers of its weights; otherwise they are empty.
    """

    encoder: str
    width: int
    probe: tuple[float, ...]
    projector: str = ""
    projector_probe: tuple[float, ...] = ()

    @property
    def digest(self) -> str:
        """12 hexadecimal digits for what was measured; another precision has others."""
        return hashlib.sha256(repr((self.probe, self.projector_probe)).encode()).hexdigest()[:12]

    def __str__(self) -> str:
        after = f" behind the text projector of {self.projector}" if self.projector else ""
        return f"{self.encoder}{after}, width {self.width}, {self.digest}"

    def same_encoder(self, other: "Fingerprint") -> bool:
        """Whether both come from the same text encoder, up to its precision."""
        return self.encoder == other.encoder and _close(self.probe, other.probe, TOLERANCE)

    def same_projector(self, projector: str, projector_probe: tuple[float, ...]) -> bool:
        """Whether the rows passed this projector, up to its precision."""
        return self.projector == projector and _close(self.projector_probe, projector_probe, PROJECTOR_TOLERANCE)

    def same_text(self, other: "Fingerprint") -> bool:
        """Whether rows of both mean the same: they are of one encoder, behind one projector or none."""
        return self.same_encoder(other) and self.same_projector(other.projector, other.projector_probe)


def summarise(rows: torch.Tensor, numbers: int = NUMBERS) -> tuple[float, ...]:
    """A few numbers of rows (n, width): sums over equal runs of columns, signs alternating along rows and columns.

    The signs take away what all rows have in common, which hardly tells one encoder from its fine-tuned copy.
    """
    rows = rows.to(device="cpu", dtype=torch.float64)
    signs = [1.0 - 2.0 * (torch.arange(size, dtype=torch.float64) % 2) for size in rows.shape]
    runs = (signs[0] @ rows * signs[1] / len(rows)).tensor_split(numbers)
    return tuple(run.sum().item() for run in runs)


def _close(first: tuple[float, ...], second: tuple[float, ...], tolerance: float) -> bool:
    if len(first) != len(second):
        return False
    if not first:
        return True
    return math.dist(first, second) <= tolerance * max(math.hypot(*first), math.hypot(*second))
