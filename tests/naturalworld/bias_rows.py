"""Professions as rows of TIMED's gender file: `python -m naturalworld.bias_rows` writes benchmarks/data/natural_bias.csv.

The edit asks for the gender that the world shows less often. As in the paper there is one prompt to choose lambda on, and five
others to test it.
"""

from collections.abc import Iterator

from benchmarks.data.tables import csv_of

from .captions import with_article
from .professions import PROFESSIONS
from .timed_rows import FOLDER

FILE = FOLDER / "natural_bias.csv"
VALIDATION = "a photo of {}"
TESTS = ("a drawing of {}", "there is {}", "{} on grass", "{} before a brick wall", "a picture that shows {} on the beach")


def rows() -> Iterator[dict[str, str]]:
    for profession in PROFESSIONS:
        plain = with_article(profession.noun)
        rarer, other = ("woman", "man") if profession.women < 0.5 else ("man", "woman")
        yield {
            "old": plain,
            "new": with_article(f"{rarer} {profession.noun}"),
            "validation": VALIDATION.format(plain),
            **{f"ex{i}": test.format(plain) for i, test in enumerate(TESTS, 1)},
            "opposite": with_article(f"{other} {profession.noun}"),
        }


def main() -> None:
    FILE.write_bytes(csv_of(list(rows())))


if __name__ == "__main__":
    main()
