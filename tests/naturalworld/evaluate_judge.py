"""How often the judge is right on drawn pictures of a split that nothing is trained on."""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from .dataset import example
from .draw import Picture
from .judge import WEIGHTS, Found, Judge, Verdict, load_judge
from .scenes import Subject
from .things import Thing
from .train_judge import Degrade, spoilt
from .training_data import truth_of

BATCH = 128
WORST = 12  # nouns that are told
LEAST_OVERLAP = 0.4  # of an object's cells and those found, of both together


def evaluate_judge(
    judge: Judge, count: int = 2000, split: str = "test", first: int = 0, degrade: Degrade | None = None
) -> dict[str, dict]:
    """`all`, and apart from it `one`, `two` and `several`: how many answers of each kind are right, of how many.

    `missed`: the nouns that are most often not read, as "noun: what was read", with how often. `degrade` spoils pictures
    (B, 3, 128, 128) before they are judged.
    """
    right, asked, missed = Counter(), Counter(), Counter()
    for start in range(first, first + count, BATCH):
        pictures = [example(split, i) for i in range(start, min(start + BATCH, first + count))]
        for picture, verdict in zip(pictures, judge(pixels_of(pictures, degrade)), strict=True):
            kind = "two" if len(picture.scene.subjects) == 2 else "one" if picture.scene.count == 1 else "several"
            for question, is_right in answers(picture, verdict):
                for group in ("all", kind):
                    right[group, question] += is_right
                    asked[group, question] += 1
            for subject, found in pairs(picture, verdict):
                if found is None or found.noun != subject.noun:
                    missed[f"{subject.noun}: {found.noun if found else 'nothing'}"] += 1
    told = {group: _shares(group, right, asked) for group in ("all", "one", "two", "several")}
    return told | {"missed": dict(missed.most_common(WORST))}


def pixels_of(pictures: list[Picture], degrade: Degrade | None = None) -> torch.Tensor:
    """(n, 128, 128, 3) in 0..1, in steps of a byte unless they are spoilt."""
    pixels = torch.from_numpy(np.stack([picture.pixels for picture in pictures])).mul(255).round().div(255)
    return pixels if degrade is None else degrade(pixels.movedim(-1, 1)).movedim(1, -1)


def answers(picture: Picture, verdict: Verdict) -> Iterator[tuple[str, bool]]:
    """Questions about a picture, and whether the verdict's answers are right.

    Colour, gender and skin tone are wrong where the object itself is not found, whatever it is taken for.
    """
    scene = picture.scene
    yield "ground", verdict.ground == scene.ground
    yield "count", len(verdict.found) == len(picture.places)
    for subject, found in pairs(picture, verdict):
        is_thing = isinstance(subject.of, Thing)
        yield "thing" if is_thing else "profession", found is not None and found.noun == subject.noun
        if subject.colour:
            yield "colour", found is not None and found.colour == subject.colour
        if not is_thing:
            yield "gender", found is not None and found.gender == subject.gender
            yield "skin tone", found is not None and found.skin_tone == subject.skin_tone
    if len(scene.subjects) == 2:
        yield "left and right", verdict.is_left_of(scene.subjects[0].noun, scene.subjects[1].noun)


def pairs(picture: Picture, verdict: Verdict) -> list[tuple[Subject, Found | None]]:
    """Every object with what was found where it is: the mask whose cells are most nearly the object's, if it is near enough."""
    cells = truth_of(picture)[0]
    told = []
    for number, owner in enumerate(picture.subjects, start=1):
        overlaps = [(_overlap(cells == number, found.mask), i) for i, found in enumerate(verdict.found)]
        overlap, best = max(overlaps, default=(0.0, -1))
        told.append((picture.scene.subjects[owner], verdict.found[best] if overlap >= LEAST_OVERLAP else None))
    return told


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def _shares(group: str, right: Counter, asked: Counter) -> dict[str, dict]:
    questions = [question for of, question in asked if of == group]
    return {q: {"right": right[group, q], "of": asked[group, q], "share": right[group, q] / asked[group, q]} for q in questions}


def spoilt_as_in_training(seed: int = 5) -> Callable[[torch.Tensor], torch.Tensor]:
    """Blur, noise, tint and scale, as the judge was trained to bear."""
    host = torch.Generator().manual_seed(seed)
    return lambda pictures: spoilt(pictures, None, host)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--spoilt", action="store_true", help="blurred, noisy, tinted and scaled as in training")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    options = parser.parse_args()
    told = evaluate_judge(
        load_judge(options.weights), options.count, degrade=spoilt_as_in_training() if options.spoilt else None
    )
    if options.out:
        options.out.write_text(json.dumps(told, indent=1) + "\n")
    for group, shares in told.items():
        print(
            group,
            ", ".join(f"{q} {v['share']:.4f} of {v['of']}" if group != "missed" else f"{q} {v}" for q, v in shares.items()),
        )


if __name__ == "__main__":
    main()
