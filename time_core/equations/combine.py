"""Several edits, such as by several people, as one request: solved jointly again from their pairs, not one after another.

Independent edits interfere through the rows that they share (begin, articles, padding): one after another each spoils the
others' fit, and in one system they do not (Orgad et al. solve them in one sum, arXiv 2303.08084, equation 5).

Every edit keeps its own lambda. One of ridge l minimises sum |P c - d|^2 / l + |P|^2, so the sum of several such problems is
one system with the smallest ridge l0, in which the rows of an edit count l0 / l times.
"""

from collections.abc import Sequence
from dataclasses import replace

from ..prompts.pairs import Kept, Own, Pair, Settings
from ..prompts.parsing import plain
from .prior import Prior
from .request import Request
from .solve import check_lambda
from .time_edit import TimeEdit

AS_IN_THE_EDITS = "as in the edits"


def combined(
    edits: Sequence[TimeEdit],
    lamb: float | None = None,
    preserve_mode: str = AS_IN_THE_EDITS,
    prior: Prior | None = None,
    rho: float = 0.0,
) -> Request:
    """The request of which the joint edit is solved.

    Args:
        edits: at least one, all for the same text.
        lamb: the ridge for all of them, in units of a squared row length; None: each keeps its own.
        preserve_mode: one of PRESERVE_MODES, or AS_IN_THE_EDITS.
        prior, rho: as in Request and Settings; the edits' own priors are not in their files.

    Raises ValueError where two edits are for other rows or projections, ask for different things, or one preserves what
    another changes; where they preserve in different modes and `preserve_mode` does not say which; and where one was computed
    with a prior and there is none.
    """
    if lamb is not None:
        check_lambda(lamb)
    for number, edit in enumerate(edits[1:], start=2):
        _check_together(edits[0], edit, number)
    if prior is None and rho > 0:
        for number, edit in enumerate(edits, start=1):
            if edit.settings.rho:
                raise ValueError(
                    f"time_edit_{number} has a prior ({edit.settings.prior}, rho {edit.settings.rho:g}); connect "
                    "TIME Prior to prior, or set rho to 0 to combine the edits without."
                )
    ridges = [edit.diagnostics.lamb if lamb is None else lamb for edit in edits]
    smallest = min(ridges)
    counts = [smallest / ridge for ridge in ridges]
    alike = len({_own(edit.settings) for edit in edits}) == 1 and all(pair.own is None for edit in edits for pair in edit.pairs)
    pairs, preserve = _pairs(edits, counts, alike), _preserve(edits, counts)
    _check_preserved(edits, pairs)
    settings = replace(
        edits[0].settings,
        lamb=smallest,
        relative=False,
        preserve_empty=any(edit.settings.preserve_empty for edit in edits),
        preserve_mode=_mode(edits) if preserve_mode == AS_IN_THE_EDITS else preserve_mode,
        rho=0.0 if prior is None else rho,
        prior="" if prior is None else str(prior),
    )
    return Request(pairs, preserve, settings, prior)


def _check_together(first: TimeEdit, edit: TimeEdit, number: int) -> None:
    one, other = first.fingerprint, edit.fingerprint
    if not one.same_text(other):
        raise ValueError(
            f"time_edit_{number} is for the text of {other}, and time_edit_1 for that of {one}; combine edits that were "
            "computed with the same clip, and with the same model or without."
        )
    for name in ("edit_keys", "edit_values", "layers"):
        mine, theirs = getattr(first.settings, name), getattr(edit.settings, name)
        if mine != theirs:
            raise ValueError(
                f"{name} is {theirs!r} in time_edit_{number} and {mine!r} in time_edit_1; compute one of them anew, or apply "
                "them one after another."
            )


def _own(settings: Settings) -> Own:
    return Own(settings.alignment, settings.tokens, settings.augmentations)


def _pairs(edits: Sequence[TimeEdit], counts: Sequence[float], alike: bool) -> tuple[Pair, ...]:
    """The pairs of all edits; one that several have is there once, as the heaviest."""
    found: list[Pair] = []
    first: dict[str, tuple[int, int]] = {}  # source -> number of the edit that has it first, and place among `found`
    for number, (edit, count) in enumerate(zip(edits, counts, strict=True), start=1):
        for pair in edit.pairs:
            own = None if alike else pair.own or _own(edit.settings)
            pair = replace(pair, weight=pair.weight * count, own=own)
            before, place = first.setdefault(pair.source, (number, len(found)))
            if before == number:
                found.append(pair)
                continue
            if plain(found[place].destination) != plain(pair.destination):
                raise ValueError(
                    f"time_edit_{number} changes {pair.source!r} to {plain(pair.destination)!r}, and time_edit_{before} to "
                    f"{plain(found[place].destination)!r}; leave one of them out."
                )
            found[place] = max(found[place], pair, key=lambda each: each.weight)
    return tuple(found)


def _preserve(edits: Sequence[TimeEdit], counts: Sequence[float]) -> tuple[Kept, ...]:
    """What the edits preserve, what several do once, as the heaviest."""
    found: dict[str, Kept] = {}
    for edit, count in zip(edits, counts, strict=True):
        for kept in edit.preserve:
            weight = kept.weight * count
            if kept.prompt not in found or weight > found[kept.prompt].weight:
                found[kept.prompt] = Kept(kept.prompt, weight)
    return tuple(found.values())


def _check_preserved(edits: Sequence[TimeEdit], pairs: Sequence[Pair]) -> None:
    changed = {pair.source for pair in pairs}
    for number, edit in enumerate(edits, start=1):
        for kept in edit.preserve:
            if kept.prompt in changed:
                raise ValueError(
                    f"time_edit_{number} preserves {kept.prompt!r}, which another edit changes; leave one of them out, or "
                    f"compute time_edit_{number} anew without it in preserve."
                )


def _mode(edits: Sequence[TimeEdit]) -> str:
    """How the edits that preserve anything do."""
    modes = {
        number: edit.settings.preserve_mode
        for number, edit in enumerate(edits, start=1)
        if edit.preserve or edit.settings.preserve_empty
    }
    if len(set(modes.values())) > 1:
        shown = ", ".join(f"{mode!r} in time_edit_{number}" for number, mode in modes.items())
        raise ValueError(f"preserve_mode is {shown}; set preserve_mode of this node to what all of them shall have.")
    return next(iter(modes.values()), edits[0].settings.preserve_mode)
