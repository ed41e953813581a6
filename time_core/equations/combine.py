"""Several edits, such as by several people, as one request: solved jointly again from their pairs, not one after another.

Independent edits interfere through the rows that they share (begin, articles, padding): one after another each spoils the
others' fit, and in one system they do not (Orgad et al. solve them in one sum, arXiv 2303.08084, equation 5).

Every edit keeps its own lambda. One of ridge l minimises sum |P c - d|^2 / l + |P|^2, so the sum of several such problems is
one system with the smallest ridge l0, in which the rows of an edit count l0 / l times.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..prompts.pairs import PRESERVE_MODES, Kept, Own, Pair, Settings
from ..prompts.parsing import plain
from .prior import Prior
from .request import Request
from .solve import check_lambda
from .time_edit import TimeEdit

AS_IN_THE_EDITS = "as in the edits"


def combined(
    edits: Mapping[str, TimeEdit],
    lamb: float | None = None,
    preserve_mode: str = AS_IN_THE_EDITS,
    prior: Prior | None = None,
    rho: float = 0.0,
) -> Request:
    """The request of which the joint edit is solved.

    Args:
        edits: by the input that each stands at; at least one, all for the same text.
        lamb: the ridge for all of them, in units of a squared row length; None: each keeps its own.
        preserve_mode: one of PRESERVE_MODES, or AS_IN_THE_EDITS.
        prior, rho: as in Request and Settings; the edits' own priors are not in their files.

    Raises ValueError where two edits are for other rows or projections, ask for different things, or one preserves what
    another changes; where they preserve in different modes and `preserve_mode` does not say which; and where one was computed
    with a prior and there is none.
    """
    if lamb is not None:
        check_lambda(lamb)
    first = next(iter(edits))
    for name in edits:
        _check_together(edits, first, name)
    if prior is None and rho > 0:
        for name, edit in edits.items():
            if edit.settings.rho:
                raise ValueError(
                    f"{name} has a prior ({edit.settings.prior}, rho {edit.settings.rho:g}); connect "
                    "TIME Prior to prior, or set rho to 0 to combine the edits without."
                )
    ridges = {name: edit.diagnostics.lamb if lamb is None else lamb for name, edit in edits.items()}
    smallest = min(ridges.values())
    counts = {name: smallest / ridge for name, ridge in ridges.items()}
    alike = len({_own(edit.settings) for edit in edits.values()}) == 1 and not any(_differs(edit) for edit in edits.values())
    pairs, preserve = _pairs(edits, counts, alike), _preserve(edits, counts, alike)
    _check_preserved(edits, pairs)
    empty = [counts[name] * edit.settings.empty_weight for name, edit in edits.items() if edit.settings.preserve_empty]
    settings = replace(
        edits[first].settings,
        lamb=smallest,
        relative=False,
        preserve_empty=bool(empty),
        empty_weight=max(empty, default=1.0),
        preserve_mode=_mode(edits) if preserve_mode == AS_IN_THE_EDITS else preserve_mode,
        rho=0.0 if prior is None else rho,
        prior="" if prior is None else str(prior),
    )
    return Request(pairs, preserve, settings, prior)


def of_one_lambda(edits: Mapping[str, TimeEdit], lamb: float | None) -> bool:
    """Whether the edits are combined at one ridge, so that another one asks for the same joint edit, weaker or stronger."""
    ridges = [edit.diagnostics.lamb for edit in edits.values()]
    return lamb is not None or math.isclose(min(ridges), max(ridges))


def _check_together(edits: Mapping[str, TimeEdit], first: str, name: str) -> None:
    one, other = edits[first], edits[name]
    if not one.fingerprint.same_text(other.fingerprint):
        raise ValueError(
            f"{name} is for the text of {other.fingerprint}, and {first} for that of {one.fingerprint}; combine edits that "
            "were computed with the same clip, and with the same model or without."
        )
    for setting in ("edit_keys", "edit_values", "layers"):
        mine, theirs = getattr(one.settings, setting), getattr(other.settings, setting)
        if mine != theirs:
            raise ValueError(
                f"{setting} is {theirs!r} in {name} and {mine!r} in {first}; compute one of them anew, or apply them one after "
                "another."
            )


def _own(settings: Settings) -> Own:
    return Own(settings.alignment, settings.tokens, settings.augmentations)


def _differs(edit: TimeEdit) -> bool:
    """Whether parts of an edit have choices of their own."""
    return any(pair.own is not None for pair in edit.pairs) or any(kept.tokens is not None for kept in edit.preserve)


def _pairs(edits: Mapping[str, TimeEdit], counts: Mapping[str, float], alike: bool) -> tuple[Pair, ...]:
    """The pairs of all edits; one that several have is there once, as the heaviest."""
    found: list[Pair] = []
    first: dict[str, tuple[str, int]] = {}  # source -> the edit that has it first, and place among `found`
    for name, edit in edits.items():
        for pair in edit.pairs:
            own = None if alike else pair.own or _own(edit.settings)
            pair = replace(pair, weight=pair.weight * counts[name], own=own)
            before, place = first.setdefault(pair.source, (name, len(found)))
            if before == name:
                found.append(pair)
                continue
            if plain(found[place].destination) != plain(pair.destination):
                raise ValueError(
                    f"{name} changes {pair.source!r} to {plain(pair.destination)!r}, and {before} to "
                    f"{plain(found[place].destination)!r}; leave one of them out."
                )
            found[place] = max(found[place], pair, key=lambda each: each.weight)
    return tuple(found)


def _preserve(edits: Mapping[str, TimeEdit], counts: Mapping[str, float], alike: bool) -> tuple[Kept, ...]:
    """What the edits preserve, what several do once, as the heaviest."""
    found: dict[str, Kept] = {}
    for name, edit in edits.items():
        for kept in edit.preserve:
            tokens = None if alike else kept.tokens or edit.settings.tokens
            kept = Kept(kept.prompt, kept.weight * counts[name], tokens)
            if kept.prompt not in found or kept.weight > found[kept.prompt].weight:
                found[kept.prompt] = kept
    return tuple(found.values())


def _check_preserved(edits: Mapping[str, TimeEdit], pairs: Sequence[Pair]) -> None:
    changed = {pair.source for pair in pairs}
    for name, edit in edits.items():
        for kept in edit.preserve:
            if kept.prompt in changed:
                raise ValueError(
                    f"{name} preserves {kept.prompt!r}, which another edit changes; leave one of them out, or compute {name} "
                    "anew without it in preserve."
                )


def _mode(edits: Mapping[str, TimeEdit]) -> str:
    """How the edits that preserve anything do."""
    modes = {name: edit.settings.preserve_mode for name, edit in edits.items() if edit.preserve or edit.settings.preserve_empty}
    if len(set(modes.values())) > 1:
        shown = ", ".join(f"{mode!r} in {name}" for name, mode in modes.items())
        raise ValueError(f"preserve_mode is {shown}; set preserve_mode of this node to what all of them shall have.")
    return next(iter(modes.values()), PRESERVE_MODES[0])
