"""Whether a prompt's words occur in another, by their spelling alone: all that can be told before any tokenizer is there.

Only what no tokenizer could place is said to be missing. So case, accents, blanks, and what stands beside a word inside of a
longer one do not count here, and neither do scripts whose signs some tokenizers cannot tell apart: Latin letters and digits do.
"an" is "a", as in `text`.
"""

import re
import unicodedata

PIECE = re.compile("[a-z]+|[0-9]")


def first_missing(source: str, destination: str) -> str:
    """The first word of `source` that does not occur in `destination` after the words before it; "" if all do."""
    there, start = "".join(_pieces(destination)), 0
    for word in source.split():
        for piece in _pieces(word):
            piece = "a" if piece == "an" else piece
            place = there.find(piece, start)
            if place < 0:
                return word
            start = place + len(piece)
    return ""


def _pieces(text: str) -> list[str]:
    return PIECE.findall(unicodedata.normalize("NFKD", text).casefold())
