"""From prompts to a finished edit, the value on the TIME_EDIT socket."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import torch

from ..prompts import placing
from ..prompts.alignment import Alignment, Placement, last_word, restrict
from ..prompts.fingerprint import Fingerprint
from ..prompts.pairs import PRESERVE_MODES, Kept, Pair, choices
from ..prompts.parsing import augment, plain
from ..prompts.text import Text, TextReader
from . import solve
from .costs import costs
from .exactly import KeptExactly, check_something_moves, prices, those_moved
from .lambda_curve import curve, suggested
from .many_prompts import read_all
from .prior import check_rho
from .request import Request
from .time_edit import Diagnostics, TimeEdit

AT_A_TIME = 4
"""Texts of both sides that are read together: a pair with the three augmentations that are published."""


def build_edit(
    reader: TextReader, request: Request, step: Callable[[], None] = lambda: None, with_curve: bool = False
) -> TimeEdit:
    """Solve all pairs in one system (equation 5 of arXiv 2303.08084): `equations`, then `Equations.edit`.

    Arguments and errors are those of the two; the settings of `request` hold the lambda.
    """
    lamb = request.settings.lamb
    solve.check_lambda(lamb)
    return equations(reader, request, step).edit(lamb, with_curve)


@dataclass(frozen=True, eq=False)
class Equations:
    """Everything that an edit is solved from but its lambda, so that many can be tried on prompts that were encoded once.

    Attributes:
        system: of all rows but those that are kept exactly; `kept` of the preserved ones alone, None if there are none.
        exactly: the prompts that are kept exactly.
        bare: for each pair the rows (m, d) of its source and destination without augmentations; empty where they were
            too many to be kept.
        empty: (n, d) rows of the empty prompt.
        request: what was asked for; the lambda in it plays no part.
        fingerprint, alignments: as in TimeEdit.
    """

    system: solve.System
    kept: solve.System | None
    exactly: KeptExactly
    bare: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    empty: torch.Tensor
    request: Request
    fingerprint: Fingerprint
    alignments: tuple[tuple[Alignment, ...], ...]

    @cached_property
    def _priced(self) -> solve.System:
        """The system with what its prior and the prompts that are kept exactly make it cost."""
        return self.system.priced(costs(self.system.width, self.request.prior, self.request.settings.rho, self.exactly.rows))

    def edit(self, lamb: float, with_curve: bool = False) -> TimeEdit:
        """The edit at this lambda, which is in the units that `settings` says.

        `with_curve`: also find what other values would give, and what each prompt that is kept exactly costs, where that
        adds little to the time. Raises ValueError as solve.System.solve.
        """
        solve.check_lambda(lamb)
        system, settings = self._priced, self.request.settings
        unit = system.mean_square if settings.relative else 1.0
        ridge = lamb * unit
        left, right = (factor.to(torch.float32).contiguous() for factor in solve.low_rank(*system.solve(ridge)))
        spectrum = system.spectrum(self.empty) if with_curve else None
        p = left.double(), right.double()  # as rounded, so that the diagnostics describe what the model gets
        return TimeEdit(
            left=left,
            right=right,
            pairs=self.request.pairs,
            preserve=self.request.preserve,
            settings=replace(settings, lamb=lamb),
            fingerprint=self.fingerprint,
            alignments=self.alignments,
            diagnostics=Diagnostics(
                rows=system.rows,
                changed_rows=system.changed,
                lamb=ridge,
                rank=left.shape[1],
                condition=system.condition(ridge) if spectrum is None else spectrum.condition(ridge),
                fit_residual=system.fit_residual(*p),
                edit_size=solve.edit_size(*p),
                empty_leak=solve.leak(self.empty, *p),
                preserve_leak=None if self.kept is None else self.kept.leak(*p),
                fit_by_pair=tuple(solve.fit_residual(*rows, *p) for rows in self.bare),
                kept_exactly=self.exactly.prompts,
                preserve_price=prices(self.system, self.exactly, self.request.prior, settings.rho, ridge) if with_curve else (),
                left_free=self.exactly.free,
            ),
            lambda_curve=() if spectrum is None else curve(spectrum, lamb, unit),
            suggested=None if spectrum is None else suggested(spectrum, unit),
        )


def equations(
    reader: TextReader, request: Request, step: Callable[[], None] = lambda: None, listen: Callable[[], None] = lambda: None
) -> Equations:
    """Encode the prompts and set up the system. Beyond the encoding, time and memory depend on the rows' width alone.

    Args:
        reader: the text encoder, and the model's own projector where there is one.
        step: called before every prompt that is encoded, `steps` times in all, for progress and interrupts.
        listen: called every few milliseconds while prompts are placed on one another, for interrupts.

    Raises ValueError where a destination lacks a source word, a pair changes nothing, a preserved prompt is one that
    the edit changes, what is kept exactly leaves no edit, the prior is for other rows or its weight no number of at least 0,
    or the reader or the alignment object.
    """
    settings = request.settings
    check_rho(settings.rho)
    if request.prior is not None:
        request.prior.check_encoder(reader.fingerprint)
    _check_before_encoding(reader, request, listen)

    system = solve.System(_read(reader, "", step).rows.shape[1])
    bare: list[tuple[torch.Tensor, torch.Tensor]] = []
    alignments = []
    for pair, source_prompt, destination_prompt, source, destination in _read_texts(reader, request, step):
        prompts = source_prompt, destination_prompt
        placements = placing.place_units(reader, source.units, destination.units, prompts, choices(pair, settings), listen)
        here, there = _gather(source, destination, placements)
        if not solve.changed_rows(here, there).any():
            raise ValueError(
                f"source {source.prompt!r} and destination {destination.prompt!r} mean the same to this text encoder in "
                "the rows that carry the edit, so there is nothing to edit; let destination say something else."
            )
        system.add(here, there, pair.weight)
        if source_prompt == pair.source:
            alignments.append(placing.describe_units(reader, source.units, destination.units, placements))
            bare.append((here, there))
        if system.folded:
            bare = []
    kept = solve.System(system.width) if request.preserve or settings.preserve_empty else None
    exactly = KeptExactly()
    if settings.preserve_mode == PRESERVE_MODES[0]:
        for kept_prompt in _kept(request):
            rows = _kept_rows(_read(reader, kept_prompt.prompt, step), kept_prompt.tokens or settings.tokens)
            system.add(rows, rows, kept_prompt.weight)
            if kept is not None:
                kept.add(rows, rows)
    elif kept is not None:
        prompts = tuple(kept_prompt.prompt for kept_prompt in _kept(request))
        exactly = _exactly(request, system, prompts, tuple(_read(reader, prompt, step).rows for prompt in prompts))
        for rows in exactly.rows:
            kept.add(rows, rows)
    return Equations(
        system=system,
        kept=kept,
        exactly=exactly,
        bare=tuple(bare),
        empty=reader.empty.rows,
        request=request,
        fingerprint=reader.fingerprint,
        alignments=tuple(alignments),
    )


def _exactly(request: Request, system: solve.System, prompts: tuple[str, ...], rows: tuple[torch.Tensor, ...]) -> KeptExactly:
    """The prompts that are kept exactly. Raises ValueError if they leave nothing to edit."""
    prior, rho = request.prior, request.settings.rho
    kept = KeptExactly(prompts, rows)
    if request.settings.preserve_mode == PRESERVE_MODES[2]:
        kept = those_moved(system.priced(costs(system.width, prior, rho)), prompts, rows)
    check_something_moves(system.priced(costs(system.width, None, 0, kept.rows)), kept)
    return kept


def steps(request: Request) -> int:
    """How many prompts `equations` encodes one by one."""
    settings = request.settings
    texts = sum(1 + len(choices(pair, settings).augmentations) for pair in request.pairs)
    return 1 + 2 * texts + len(request.preserve) + settings.preserve_empty


def _texts(request: Request) -> Iterator[tuple[Pair, str, str]]:
    """Every pair by itself, then behind each of the beginnings; brackets are still in the destination."""
    for pair in request.pairs:
        beginnings = choices(pair, request.settings).augmentations
        sources, destinations = (augment(text, beginnings) for text in (pair.source, pair.destination))
        for source, destination in zip(sources, destinations, strict=True):
            yield pair, source, destination


def _read_texts(reader: TextReader, request: Request, step: Callable[[], None]) -> Iterator[tuple[Pair, str, str, Text, Text]]:
    """`_texts` with what the model gets of both prompts, a few at a time."""
    texts = _texts(request)
    while some := tuple(islice(texts, AT_A_TIME)):
        prompts = [prompt for _, source, destination in some for prompt in (source, plain(destination))]
        read = read_all(reader, prompts, step)
        for one, source, destination in zip(some, read[::2], read[1::2], strict=True):
            yield *one, source, destination


def _kept(request: Request) -> Iterator[Kept]:
    """The preserved prompts, the empty one at the end."""
    yield from request.preserve
    if request.settings.preserve_empty:
        yield Kept("", request.settings.empty_weight)


def _read(reader: TextReader, prompt: str, step: Callable[[], None]) -> Text:
    step()
    return reader.read(prompt) if prompt else reader.empty


def _check_before_encoding(reader: TextReader, request: Request, listen: Callable[[], None]) -> None:
    """What can be found wrong by the tokens alone."""
    edited = set()
    for pair, source_prompt, destination_prompt in _texts(request):
        bare = source_prompt == pair.source
        source, destination = (
            tuple((0, (track,)) for track in reader.tracks_of(prompt, name if bare else "augmentations"))
            for name, prompt in (("source", source_prompt), ("destination", plain(destination_prompt)))
        )
        placing.place_units(
            reader, source, destination, (source_prompt, destination_prompt), choices(pair, request.settings), listen
        )
        edited.add(tuple(track.ids for _, (track,) in source))
    for kept in request.preserve:
        listen()
        if tuple(track.ids for track in reader.tracks_of(kept.prompt, "preserve")) in edited:
            raise ValueError(f"preserve lists {kept.prompt!r}, which source asks to change; remove it from one of them.")


def _gather(source: Text, destination: Text, placed: placing.Placed) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows that carry the edit, (m, d) of the source and the destination's that they shall become."""
    rows = [(first + i, onto + j) for first, onto, placements in placed for i, j in placements[0].rows]
    return source.rows[[i for i, _ in rows]], destination.rows[[j for _, j in rows]]


def _kept_rows(text: Text, tokens: str) -> torch.Tensor:
    """The rows of a preserved prompt: those that would carry an edit of it, and all of the empty prompt."""
    rows: list[int] = []
    for first, (track, *_) in text.units:
        placement = Placement(tuple((row, row) for row in range(len(track.ids))))
        if track.word_rows:
            placement = last_word(track, track) if tokens == "last word" else restrict(placement, track, tokens)
        rows += [first + row for row, _ in placement.rows]
    return text.rows[rows]
