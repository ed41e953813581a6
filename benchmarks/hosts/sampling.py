"""How pictures are sampled, whoever does it."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Sampling:
    """The defaults are those of the published TIME runs; `sampler` and `scheduler` are names of the host.

    `batch`: pictures sampled at once, at most; None lets the host's memory decide. Pictures of batches of other sizes may
    differ by rounding.
    """

    width: int = 512
    height: int = 512
    steps: int = 50
    cfg: float = 7.5
    sampler: str = "euler"
    scheduler: str = "normal"
    negative: str = ""
    batch: int | None = None

    def as_dict(self) -> dict:
        return asdict(self)
