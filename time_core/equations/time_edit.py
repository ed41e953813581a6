"""The value on the TIME_EDIT socket: what an edit is, whatever made it and wherever it goes."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from ..prompts.alignment import Alignment
from ..prompts.fingerprint import Fingerprint
from ..prompts.pairs import PRESERVE_MODES, Kept, Own, Pair, Settings
from .lambda_curve import Point
from .verdict import REMEDIES, Verdict, verdict

NOT_REPORTED = ("left", "right", "lambda_curve", "suggested")
SHOWN_LINES = 20  # of the pairs and of the preserved prompts in a summary


@dataclass(frozen=True)
class Diagnostics:
    """What the solve knows about an edit. The ratios are explained at the function of the same name in `solve`.

    `lamb` is the ridge as used, in units of a squared row length. `fit_by_pair` has the fit residual of every pair, or
    nothing where the rows were too many to be kept. `preserve_leak` is None if no prompt is preserved.

    Of prompts that are kept exactly, `kept_exactly` has those that were, `preserve_price` by how much each of them alone raises
    the fit residual, or nothing where that was not found, and `left_free` those that the edit hardly moves.
    """

    rows: int
    changed_rows: int
    lamb: float
    rank: int
    condition: float
    fit_residual: float
    edit_size: float
    empty_leak: float
    preserve_leak: float | None = None
    fit_by_pair: tuple[float, ...] = ()
    kept_exactly: tuple[str, ...] = ()
    preserve_price: tuple[float, ...] = ()
    left_free: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TimeEdit:
    """W' = W (I + left @ right.T) for every key and value projection W that reads these rows of text.

    `left` and `right` are (text_width, rank) float32 on the CPU. They hold nothing of the model's projections, so an
    edit fits every model that reads the same text, which `fingerprint` tells. `alignments` are those of the pairs in
    order, without their augmentations, one for every text encoder that the rows come from. `lambda_curve` and `suggested`, the
    lambda that `lambda_curve.suggested` finds, are known only where the edit was solved, and are no part of the edit.
    """

    left: torch.Tensor
    right: torch.Tensor
    pairs: tuple[Pair, ...]
    preserve: tuple[Kept, ...]
    settings: Settings
    fingerprint: Fingerprint
    alignments: tuple[tuple[Alignment, ...], ...]
    diagnostics: Diagnostics
    lambda_curve: tuple[Point, ...] = ()
    suggested: Point | None = None

    @property
    def text_width(self) -> int:
        return self.left.shape[0]

    @property
    def rank(self) -> int:
        return self.left.shape[1]

    def summary(self) -> str:
        """The edit and how well it went, in a few lines."""
        d = self.diagnostics
        lines = [line for pair, tracks in zip(self.pairs, self.alignments, strict=True) for line in _pair_lines(pair, tracks)]
        if d.fit_by_pair and len(self.pairs) > 1:
            worst = max(range(len(self.pairs)), key=d.fit_by_pair.__getitem__)
            lines.append(f"hardest to fit: line {worst + 1}, residual {d.fit_by_pair[worst]:.3g}")
        if len(lines) > SHOWN_LINES:
            lines[SHOWN_LINES:] = [f"and {len(lines) - SHOWN_LINES} lines more"]
        lines += _kept_lines(self)
        if self.settings.rho:
            lines.append(f"prior of {self.settings.prior}, rho {self.settings.rho:.3g}")
        lines += [
            f"lambda {d.lamb:.3g}, {d.changed_rows} of {d.rows} token rows change",
            f"fit residual {d.fit_residual:.3g} (0: the source now means the destination; 1: as before)",
            f"leak on the empty prompt {d.empty_leak:.3g}"
            + ("" if d.preserve_leak is None else f", on what is kept {d.preserve_leak:.3g}"),
            f"rank {d.rank}, size {d.edit_size:.3g} of the weights, condition number {d.condition:.2g}",
        ]
        return "\n".join(lines)

    def advice(self) -> str:
        """For whoever chooses lambda: which one is suggested, how well this one does, and what to do if badly."""
        lines = []
        if (best := self.suggested) is not None:
            lines.append(f"suggested lambda {best.lamb:.3g} (fit {best.fit_residual:.2g}, leak {best.empty_leak:.2g})")
        found = self.verdict()
        lines.append(f"{found}; {REMEDIES[found.problem]}" if found.problem else str(found))
        return "\n".join(lines)

    def verdict(self) -> Verdict:
        d = self.diagnostics
        return verdict(d.fit_residual, d.empty_leak, self.settings.lamb, self.suggested, self.lambda_curve)

    def report(self) -> dict[str, Any]:
        """All but the factors and the curve, as JSON can hold it."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self) if item.name not in NOT_REPORTED}

    def curve_report(self) -> list[dict[str, float]]:
        """The curve as JSON can hold it."""
        return [asdict(point) for point in self.lambda_curve]

    def verdict_report(self) -> dict[str, Any]:
        """The verdict and the suggested lambda's point, or None, as JSON can hold them."""
        return asdict(self.verdict()) | {"suggested": self.suggested and asdict(self.suggested)}

    @classmethod
    def from_report(cls, left: torch.Tensor, right: torch.Tensor, report: dict[str, Any]) -> "TimeEdit":
        """The edit with these factors and what `report` gave, also after a way through JSON.

        Raises KeyError or TypeError for what is no report.
        """
        return cls(
            left=left,
            right=right,
            pairs=tuple(_pair(pair) for pair in report["pairs"]),
            preserve=tuple(Kept(**kept) for kept in report["preserve"]),
            settings=Settings(**tuples(report["settings"])),
            fingerprint=Fingerprint(**tuples(report["fingerprint"])),
            alignments=tuple(tuple(Alignment(**tuples(alignment)) for alignment in tracks) for tracks in report["alignments"]),
            diagnostics=Diagnostics(**tuples(report["diagnostics"])),
        )


def _kept_lines(edit: TimeEdit) -> list[str]:
    """What is kept, and where it is kept exactly, at which price; the dearest first."""
    d = edit.diagnostics
    if edit.settings.preserve_mode == PRESERVE_MODES[0]:
        softly = [kept.prompt for kept in edit.preserve] + ["the empty prompt"] * edit.settings.preserve_empty
        return [f"kept: {prompt}" for prompt in softly[:SHOWN_LINES]]
    exactly = [f"kept exactly: {prompt or 'the empty prompt'}" for prompt in d.kept_exactly]
    if d.preserve_price:
        by_price = sorted(zip(d.preserve_price, exactly, strict=True), reverse=True)
        exactly = [f"{line} (alone raises the fit residual by {price:.3g})" for price, line in by_price]
    free = [f"left free, hardly moved: {prompt or 'the empty prompt'}" for prompt in d.left_free]
    return exactly[:SHOWN_LINES] + free[:SHOWN_LINES]


def _pair(report: dict[str, Any]) -> Pair:
    own = report.get("own")
    return Pair(**{**report, "own": None if own is None else Own(**tuples(own))})


def _pair_lines(pair: Pair, tracks: tuple[Alignment, ...]) -> list[str]:
    first = tracks[0]
    notes = [f"{name}: {' '.join(words)}" for name, words in (("adds", first.inserted), ("drops", first.dropped)) if words]
    if pair.weight != 1:
        notes.append(f"weight {pair.weight:g}")
    lines = [f"{pair.source} -> {pair.destination}" + (f" ({', '.join(notes)})" if notes else "")]
    if first.alternatives:
        lines.append(f"  {first.alternatives} other placements are as good; mark the inserted words by [brackets] to choose")
    return lines


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return _plain(tuple(value)) if isinstance(value, list) else asdict(value)


def tuples(report: dict[str, Any]) -> dict[str, Any]:
    """What JSON made lists of, as tuples again."""
    return {name: _tuple(value) for name, value in report.items()}


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value
