"""The toy world's words as CLIP tokens, by the host's own tokenizer."""

from functools import cache

from .world import BACKGROUNDS, COLOURS, OBJECTS, TEMPLATES, plural

END = 49407


@cache
def _tokenizer():
    from comfy.sd1_clip import SD1Tokenizer

    return SD1Tokenizer()


def token_ids(text: str) -> list[int]:
    """77 token ids: begin, words, end, padding."""
    return [token for token, _ in _tokenizer().tokenize_with_weights(text)["l"][0]]


def vocabulary() -> list[int]:
    """The ids of all tokens in the world's captions: begin and end first, then in order of appearance."""
    words = [word for template in TEMPLATES for word in template.replace("{}", "").split()]
    words += ["an", "two", *(word for phrase in BACKGROUNDS for word in phrase.split()), *COLOURS]
    words += [*OBJECTS, *(plural(noun) for noun in OBJECTS)]
    ids = [49406, END]
    for word in words:
        ids += [token for token in token_ids(word)[1:-1] if token not in ids]
    return ids
