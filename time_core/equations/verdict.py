"""The numbers of an edit as a person would put them: what it takes, what it spills, and what to do if that is bad."""

from collections.abc import Sequence
from dataclasses import dataclass

from .lambda_curve import FIT, Point

PARTIAL_FIT = 0.25
"""The fit residual beyond which pictures begin to show the source as before: on the natural world edits at strength 0.75, which
leaves this much, show 58 % of the related prompts' pictures for 80 % at strength 1 (docs/time_settings.md)."""

SPILLING_LEAK = 0.3
"""The leak on the empty prompt from which unrelated prompts change visibly: on the natural world 78 % of their pictures are as
they should be at a mean leak of .33 (lambda 0.1), 84 % at .28 (lambda 1) and 90 % at .23 (lambda 10)."""

POOR = 0.5
"""The fit residual, or the leak on the empty prompt, beyond which an edit is poor: less than half of the wanted change is
there (at strength 0.5 one source of five shows it), or the empty prompt moves by more than half of its own length."""

PARTIAL, BOUND, SPILLING, ENTANGLED = "partial", "bound", "spilling", "entangled"
REMEDIES = {
    PARTIAL: "the source is changed only in part: lower lambda",
    BOUND: "the source is changed only in part, whatever the lambda: let preserve keep less, or softly, or leave out pairs "
    "that contradict each other",
    SPILLING: "other prompts move: raise lambda as far as the edit stays whole, connect TIME Prior or raise its rho, or use "
    "TIME Text Encode",
    ENTANGLED: "other prompts move, and a larger lambda would cost the edit: connect TIME Prior or raise its rho, or use "
    "TIME Text Encode",
}


@dataclass(frozen=True)
class Verdict:
    """`takes`: percent of the wanted change that the source gets. `spills`: percent of its own length by which the empty prompt
    moves. `problem`: one of REMEDIES, or "". `grade`: "good" without a problem, else "doubtful" or "poor"."""

    takes: int
    spills: int
    problem: str
    grade: str

    def __str__(self) -> str:
        return f"takes {self.takes} %, spills {self.spills} %"


def verdict(
    fit_residual: float, empty_leak: float, lamb: float, suggested: Point | None, curve: Sequence[Point] = ()
) -> Verdict:
    """Of an edit at `lamb`, in the unit of `suggested`; that is None where none fits, or where it and `curve` are not known."""
    problem = ""
    if empty_leak > SPILLING_LEAK:
        has_room = fit_residual <= FIT if suggested is None else lamb < suggested.lamb
        problem = SPILLING if has_room else ENTANGLED
    elif fit_residual > PARTIAL_FIT:
        fits_nowhere = curve and suggested is None and min(point.fit_residual for point in curve) > PARTIAL_FIT
        problem = BOUND if fits_nowhere else PARTIAL
    grade = "good" if not problem else "poor" if max(fit_residual, empty_leak) > POOR else "doubtful"
    return Verdict(round(100 * max(1 - fit_residual, 0)), round(100 * empty_leak), problem, grade)
