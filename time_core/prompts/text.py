"""Prompts through the host's CLIP object: token ids, words and embedding rows.

`clip` is the host's CLIP: `tokenize(text, return_word_ids=True)` gives {encoder: [chunk of (id, weight, word)]}, word 0
being no word (begin, end, padding), and `encode_from_tokens(tokens)` gives (1, rows, width). Its `tokenizer` holds one
tokenizer an encoder.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from .fingerprint import PROBE, Fingerprint, summarise

# Encoders that read the same words token by token and whose embeddings stand side by side in one row.
SIDE_BY_SIDE = ("l", "g", "h")
# How vocabularies mark the last or the first piece of a word.
END_OF_WORD = "</w>"
START_OF_WORD = ("\u2581", "\u0120")  # sentencepiece, byte-level BPE
EMBEDDING = re.compile(r"(?<!\S)embedding:")
ONE_ARTICLE = {"an</w>": "a</w>", "an": "a"}


@dataclass(frozen=True)
class Chunk:
    """One window of a text encoder, as rows: begin from `start`, words from `words`, end and padding from `tail`."""

    start: int
    words: int
    tail: int
    stop: int


@dataclass(frozen=True)
class Track:
    """What one tokenizer made of a prompt: `ids[i]` is the token of row i, padding included."""

    encoder: str
    ids: tuple[int, ...]
    chunks: tuple[Chunk, ...]

    @property
    def word_rows(self) -> tuple[int, ...]:
        return tuple(row for chunk in self.chunks for row in range(chunk.words, chunk.tail))

    @property
    def word_ids(self) -> tuple[int, ...]:
        return tuple(self.ids[row] for row in self.word_rows)

    def resized(self, rows: int) -> "Track":
        """The track for an encoder whose embedding has `rows` rows: a chat template in front is cut off, padding added."""
        cut = max(len(self.ids) - rows, 0)
        chunks = [
            Chunk(*(max(bound - cut, 0) for bound in (chunk.start, chunk.words, chunk.tail, chunk.stop)))
            for chunk in self.chunks
        ]
        chunks[-1] = replace(chunks[-1], stop=rows)
        padding = (self.ids[-1],) * max(rows - len(self.ids), 0)
        return Track(self.encoder, self.ids[cut:] + padding, tuple(chunks))


@dataclass(frozen=True, eq=False)
class Text:
    """A prompt as the model gets it: `rows` (n, width) float64 on the CPU.

    `units` are (first row, tracks): the encoders that share these rows side by side. Units follow one another.
    """

    prompt: str
    rows: torch.Tensor
    units: tuple[tuple[int, tuple[Track, ...]], ...]


@dataclass(frozen=True)
class Projector:
    """A model's own way from the text encoder's embedding to what its keys and values read.

    `project` takes the embedding (1, n, encoder width) and the host's extra conditioning, and gives (1, m, width).
    `track` names the encoder whose tokens the rows stand for where several could. `probe` are numbers of its weights.
    """

    name: str
    project: Callable[[torch.Tensor, dict[str, Any]], torch.Tensor]
    probe: tuple[float, ...] = ()
    track: str = ""


class TextReader:
    """Encodes prompts the way the edited projections read them: by `clip` and, if given, the model's own projector."""

    def __init__(self, clip: Any, projector: Projector | None = None):
        self.clip, self.projector = clip, projector
        self._ahead: dict[str, tuple[torch.Tensor, dict[str, Any]]] = {}

    def tracks(self, prompt: str) -> tuple[Track, ...]:
        """The tokens of `prompt`, one track an encoder.

        Raises ValueError for what TIME has no meaning for: weights, embeddings, special tokens written out.
        """
        tokens = self.clip.tokenize(prompt, return_word_ids=True)
        return tuple(_track(prompt, name, chunks) for name, chunks in tokens.items() if _is_chunks(chunks))

    def tracks_of(self, prompt: str, name: str) -> tuple[Track, ...]:
        """The tokens of a prompt in the input `name`, which the ValueError says too."""
        try:
            return self.tracks(prompt)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def encode_ahead(self, prompt: str) -> None:
        """Encodes a prompt that is read soon. Several at a time: else the text encoder and a model whose projector reads them
        take turns in memory that has no room for both."""
        self._ahead[prompt] = self._encode(prompt)

    def read(self, prompt: str) -> Text:
        """The rows and tokens of `prompt`. Raises ValueError as `tracks` does, or if tokens and rows do not match."""
        tracks = self.tracks(prompt)
        embedding, extra = self._ahead.pop(prompt, None) or self._encode(prompt)
        if self.projector is not None:
            embedding = self.projector.project(embedding, extra)
        rows = embedding[0].to(device="cpu", dtype=torch.float64)
        if self.projector is not None and self.projector.track:
            tracks = tuple(track for track in tracks if track.encoder == self.projector.track)
        return Text(prompt, rows, arrange(tracks, len(rows)))

    def rows_together(self, prompts: Sequence[str]) -> torch.Tensor | None:
        """The rows (n, width) of several prompts, in any order, from one pass through the text encoder; None where it has no
        such pass: as its tokens are no chunks of one length, or a model's own projector reads each prompt as a whole."""
        tokens = [self.clip.tokenize(prompt) for prompt in prompts]
        if self.projector is not None or not all(_is_chunks(chunks) for each in tokens for chunks in each.values()):
            return None
        # As the host does with a prompt that is too long for one chunk.
        together = {name: [chunk for each in tokens for chunk in each[name]] for name in tokens[0]}
        if any(len({len(chunk) for chunk in chunks}) > 1 for chunks in together.values()):
            return None
        return self.clip.encode_from_tokens(together)[0].to(device="cpu", dtype=torch.float64)

    @cached_property
    def empty(self) -> Text:
        return self.read("")

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What the rows are made with: the text encoder by what it makes of a probe, the projector by its weights."""
        embedding, _ = self._encode(PROBE)
        names = "+".join(track.encoder for track in self.tracks(PROBE))
        encoder = Fingerprint(names, embedding.shape[-1], summarise(embedding[0]))
        if self.projector is None:
            return encoder
        return replace(
            encoder, width=self.empty.rows.shape[1], projector=self.projector.name, projector_probe=self.projector.probe
        )

    def keys(self, track: Track) -> tuple[str, ...]:
        """For every word token what another must be to count as the same: its piece of the vocabulary.

        "a" and "an" are one ("an attendant" -> "a female attendant"), and so are pieces with and without a blank before.
        """
        untokenize = self._tokenizer(track.encoder).untokenize
        pieces = (untokenize([(token, 1.0)])[0][1].lstrip(START_OF_WORD[1]) for token in track.word_ids)
        return tuple(ONE_ARTICLE.get(piece) or piece for piece in pieces)

    def words(self, track: Track) -> tuple[str, ...]:
        """For every row the whole word that its token is a piece of, readable; "" for begin, end and padding."""
        words = [""] * len(track.ids)
        tokenizer = self._tokenizer(track.encoder)
        group: list[int] = []
        ended = False
        for row in track.word_rows:
            piece = tokenizer.untokenize([(track.ids[row], 1.0)])[0][1]
            if group and (ended or piece.startswith(START_OF_WORD)):
                _name(words, group, tokenizer, track)
                group = []
            group.append(row)
            ended = piece.endswith(END_OF_WORD)
        _name(words, group, tokenizer, track)
        return tuple(words)

    def pieces(self, track: Track) -> tuple[str, ...]:
        """For every row its token, readable; "" for begin, end and padding."""
        tokenizer = self._tokenizer(track.encoder)
        words = set(track.word_rows)
        return tuple(tokenizer.decode([token]).strip() if row in words else "" for row, token in enumerate(track.ids))

    def _encode(self, prompt: str) -> tuple[torch.Tensor, dict[str, Any]]:
        encoded = self.clip.encode_from_tokens(self.clip.tokenize(prompt), return_dict=True)
        return encoded.pop("cond"), encoded

    def _tokenizer(self, encoder: str) -> Any:
        tokenizers = self.clip.tokenizer
        return getattr(tokenizers, encoder, None) or getattr(tokenizers, f"clip_{encoder}", tokenizers)


def arrange(tracks: tuple[Track, ...], rows: int) -> tuple[tuple[int, tuple[Track, ...]], ...]:
    """Which of `rows` embedding rows belong to which tracks, as `Text.units`.

    CLIP encoders stand side by side, other encoders follow (SDXL: l and g; SD3: l and g, then T5), or one encoder alone
    gives the rows (Flux: T5). Of one that is longer than its rows the front is cut off, as the host cuts chat templates;
    one that is shorter was padded. Raises ValueError where none of this fits.
    """
    clips = tuple(track for track in tracks if track.encoder in SIDE_BY_SIDE)
    units = ([clips] if clips else []) + [(track,) for track in tracks if track not in clips]
    if len({len(track.ids) for track in clips}) <= 1 and sum(len(unit[0].ids) for unit in units) == rows:
        starts = [sum(len(unit[0].ids) for unit in units[:i]) for i in range(len(units))]
        return tuple(zip(starts, units, strict=True))
    candidates = [unit for unit in units if len(unit) == 1 and len(unit[0].ids) == rows]
    candidates = candidates or [(track,) for track in tracks if track.encoder not in SIDE_BY_SIDE] or units
    if len(candidates) == 1 and len(candidates[0]) == 1:
        return ((0, (candidates[0][0].resized(rows),)),)
    lengths = ", ".join(f"{track.encoder}: {len(track.ids)} tokens" for track in tracks)
    raise ValueError(f"clip gives {rows} embedding rows, and which belong to which token is not known ({lengths}).")


def refuse_embeddings(prompt: str) -> None:
    """Raise the ValueError of `TextReader.tracks` for an embedding, by the text: for tokenizers that look for no files."""
    if EMBEDDING.search(prompt):
        raise _embedding_error(prompt)


def _embedding_error(prompt: str) -> ValueError:
    return ValueError(f"The prompt {prompt!r} uses an embedding, which cannot be aligned word by word; remove it.")


def _is_chunks(value: Any) -> bool:
    """Some encoders put settings beside their tokens."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], list) and bool(value[0])


def _track(prompt: str, encoder: str, chunks: list[list[tuple]]) -> Track:
    entries = [entry for chunk in chunks for entry in chunk]
    if any(weight != 1.0 for _, weight, _ in entries):
        raise ValueError(
            f"The prompt {prompt!r} weights words by parentheses, as in (word:1.2), which an edit has no use for; "
            r"remove them, or write \( and \) for real parentheses."
        )
    if not all(isinstance(token, int) for token, _, _ in entries):
        raise _embedding_error(prompt)
    bounds, start = [], 0
    for chunk in chunks:
        bounds.append(_chunk(start, [bool(word) for _, _, word in chunk]))
        start += len(chunk)
    track = Track(encoder, tuple(token for token, _, _ in entries), tuple(bounds))
    # Begin and end only: CLIP-G pads with the token of a real "!".
    framing = [row for chunk in bounds for row in (*range(chunk.start, chunk.words), chunk.tail) if row < chunk.stop]
    if {track.ids[row] for row in framing} & set(track.word_ids):
        raise ValueError(f"The prompt {prompt!r} writes out a special token such as <|endoftext|>; remove it.")
    return track


def _chunk(start: int, is_word: list[bool]) -> Chunk:
    stop = start + len(is_word)
    if True in is_word:
        words = start + is_word.index(True)
        tail = stop - is_word[::-1].index(True)
    else:
        words = tail = min(start + 1, stop)
    return Chunk(start, words, tail, stop)


def _name(words: list[str], group: list[int], tokenizer: Any, track: Track) -> None:
    for row in group:
        words[row] = tokenizer.decode([track.ids[other] for other in group]).strip()
