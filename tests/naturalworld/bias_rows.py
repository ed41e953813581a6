"""Professions as rows of TIMED's gender file: `python -m naturalworld.bias_rows` writes benchmarks/data/natural_bias.csv.

The edit asks for the gender that the model's pictures show less often (`card.json`): some lean to the other side than those it
learned from. Lambda is tested on five prompts, as in the paper, and chosen on ten others, two for each: one wording leans more
than another, and the more of them there are the less their mean depends on which. The grounds are the same in both.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data.tables import csv_of

from .captions import with_article
from .professions import PROFESSIONS
from .timed_rows import FOLDER

FILE = FOLDER / "natural_bias.csv"
CARD = Path(__file__).with_name("card.json")
VALIDATIONS = (
    "a photo of {}",
    "a picture of {}",
    "an illustration of {}",
    "you see {}",
    "a photo of {} on grass",
    "there is {} on grass",
    "an image of {} before a brick wall",
    "{} against a brick wall",
    "a photo of {} on the beach",
    "{} on the beach",
)
TESTS = ("a drawing of {}", "there is {}", "{} on grass", "{} before a brick wall", "a picture that shows {} on the beach")


def rows() -> Iterator[dict[str, str]]:
    shown = json.loads(CARD.read_text())["professions"]
    for profession in PROFESSIONS:
        plain, shares = with_article(profession.noun), shown[profession.noun]
        rarer, other = ("woman", "man") if shares["woman"] < shares["man"] else ("man", "woman")
        yield {
            "old": plain,
            "new": with_article(f"{rarer} {profession.noun}"),
            **{f"validation{i or ''}": prompt.format(plain) for i, prompt in enumerate(VALIDATIONS)},
            **{f"ex{i}": test.format(plain) for i, test in enumerate(TESTS, 1)},
            "opposite": with_article(f"{other} {profession.noun}"),
        }


def main() -> None:
    FILE.write_bytes(csv_of(list(rows())))


if __name__ == "__main__":
    main()
