"""The toy world's words as CLIP tokens."""

from smallmodel.tokens import BEGIN, END, token_ids

from .world import BACKGROUNDS, COLOURS, OBJECTS, TEMPLATES, plural


def vocabulary() -> list[int]:
    """The ids of all tokens in the world's captions: begin and end first, then in order of appearance."""
    words = [word for template in TEMPLATES for word in template.replace("{}", "").split()]
    words += ["an", "two", *(word for phrase in BACKGROUNDS for word in phrase.split()), *COLOURS]
    words += [*OBJECTS, *(plural(noun) for noun in OBJECTS)]
    ids = [BEGIN, END]
    for word in words:
        ids += [token for token in token_ids(word)[1:-1] if token not in ids]
    return ids
