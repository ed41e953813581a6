"""Prompts through the host's CLIP object: token ids, words and embedding rows.

`clip` is the host's CLIP: `tokenize(text)` gives {encoder: [chunk of (id, weight)]}, `encode_from_tokens(tokens)` gives
(1, rows, width), `decode(ids)` gives text, and `tokenizer.untokenize` the vocabulary's pieces.
"""

from collections.abc import Sequence
from typing import Any

import torch

ROWS = 77  # what a CLIP text encoder reads at once; TIME edits all of them, padding included
END_OF_WORD = "</w>"  # how CLIP's vocabulary marks the last piece of a word


def tokenize(clip: Any, prompt: str) -> tuple[int, ...]:
    """The token ids of `prompt` with begin and end, without the padding.

    Raises ValueError for what TIME has no meaning for: weights, embeddings, over 75 tokens, several text encoders.
    """
    (chunks,) = _plain_tokens(clip, prompt).values()
    ids = tuple(token for token, _ in chunks[0])
    length = ids.index(_end_token(clip)) + 1
    if len(set(ids[length:])) > 1:
        raise ValueError(f"The prompt {prompt!r} writes out a special token such as <|endoftext|>; remove it.")
    return ids[:length]


def articles(clip: Any) -> tuple[int, int]:
    """The ids of "a" and "an"."""
    return tokenize(clip, "a")[1], tokenize(clip, "an")[1]


def token_words(clip: Any, ids: Sequence[int]) -> tuple[str, ...]:
    """For every token the whole word that it is a piece of, readable; empty for begin and end."""
    words: list[str] = []
    word: list[int] = []
    for (token, _), piece in clip.tokenizer.untokenize([(token, 1.0) for token in ids[1:-1]]):
        word.append(token)
        if piece.endswith(END_OF_WORD):
            words += [decode(clip, word)] * len(word)
            word = []
    words += [decode(clip, word)] * len(word)
    return ("", *words, "")


def decode(clip: Any, ids: Sequence[int]) -> str:
    """The text of some tokens."""
    return clip.decode(list(ids)).strip()


def encode(clip: Any, prompt: str) -> torch.Tensor:
    """The embedding of `prompt` as float64 rows (77, width) on the CPU, one row a token, padding included.

    Raises ValueError as `tokenize` does.
    """
    embedding = clip.encode_from_tokens(_plain_tokens(clip, prompt))
    return embedding[0].to(device="cpu", dtype=torch.float64)


def _end_token(clip: Any) -> int:
    """The empty prompt is begin, end and padding."""
    (chunks,) = _plain_tokens(clip, "").values()
    return chunks[0][1][0]


def _plain_tokens(clip: Any, prompt: str) -> dict[str, list[list[tuple[int, float]]]]:
    tokens = clip.tokenize(prompt)
    if len(tokens) != 1:
        raise ValueError(
            f"clip is made of {len(tokens)} text encoders ({', '.join(tokens)}); for now TIME edits models with one "
            "text encoder, such as SD 1.x and SD 2.x."
        )
    (chunks,) = tokens.values()
    if any(weight != 1.0 for chunk in chunks for _, weight in chunk):
        raise ValueError(
            f"The prompt {prompt!r} weights words by parentheses, as in (word:1.2), which an edit has no use for; "
            r"remove them, or write \( and \) for real parentheses."
        )
    if any(not isinstance(token, int) for chunk in chunks for token, _ in chunk):
        raise ValueError(f"The prompt {prompt!r} uses an embedding, which cannot be aligned word by word; remove it.")
    if len(chunks) > 1:
        raise ValueError(f"The prompt {prompt!r} has more than {ROWS - 2} tokens; shorten it.")
    if len(chunks[0]) != ROWS:
        raise ValueError(f"clip reads {len(chunks[0])} tokens at once and not {ROWS}; use a CLIP text encoder, as SD 1.x has.")
    return tokens
