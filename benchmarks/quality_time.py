"""TIME on the toy world: efficacy, generality and specificity, judged from pixels (protocol of the TIMED data set)."""

from dataclasses import dataclass

import numpy as np
from toyworld.host_model import Sampler
from toyworld.judge import judge
from toyworld.world import ASSUMED_COLOUR, COLOURS, OBJECTS, plural

PUBLISHED_LAMBDA = 0.1
LAMBDAS = (0.1, 1.0, 10.0, 100.0)
POSITIVES = ("a painting of a {}", "two {}", "a {} on grass")  # no template of the edit
UNRELATED = 3


@dataclass(frozen=True)
class Pair:
    """An edit: `noun` shall be `colour`, which it is not by itself."""

    noun: str
    colour: str

    @property
    def source(self) -> str:
        return f"a {self.noun}"

    @property
    def destination(self) -> str:
        return self.coloured("a {}")

    def plain(self, template: str) -> str:
        return template.format(plural(self.noun) if template.startswith("two") else self.noun)

    def coloured(self, template: str) -> str:
        """The template with the colour named."""
        noun = plural(self.noun) if template.startswith("two") else self.noun
        return template.format(f"{self.colour} {noun}").replace("a orange", "an orange")

    @property
    def others(self) -> list[str]:
        """Objects the edit must leave alone: the next ones in the world's order."""
        start = OBJECTS.index(self.noun)
        return [OBJECTS[(start + 1 + 2 * k) % len(OBJECTS)] for k in range(UNRELATED)]


def pairs(shift: int) -> list[Pair]:
    """One pair an object; the colour is the one `shift` places after the assumed one. Different shifts share no pair."""
    names = list(COLOURS)
    return [Pair(noun, names[(names.index(ASSUMED_COLOUR[noun]) + shift) % len(names)]) for noun in OBJECTS]


JUDGED = pairs(3)
CHOSEN_ON = pairs(5)[::3]


@dataclass(frozen=True)
class Score:
    """Shares, each the mean over pairs; `by_pair` keeps what they are the means of."""

    efficacy: float
    generality: float
    specificity: float
    by_pair: list[dict]

    @property
    def geometric_mean(self) -> float:
        return float(np.cbrt(self.efficacy * self.generality * self.specificity))

    def row(self) -> dict:
        return {
            "efficacy": self.efficacy,
            "generality": self.generality,
            "specificity": self.specificity,
            "geometric mean": self.geometric_mean,
        }


class TimeBench:
    """Samples through the host and edits through the pack's own node."""

    def __init__(self, sampler: Sampler, node, seeds: int, progress):
        self.sampler, self.node, self.seeds, self.progress = sampler, node, list(range(1, seeds + 1)), progress
        self.unedited: dict[str, list[str | None]] = {}

    def score(self, over: list[Pair], lamb: float | None, name_colour: bool = False) -> Score:
        """`lamb` None is the unedited model; with `name_colour` it is the oracle: the destination's wording."""
        rows = []
        for pair in over:
            model = None if lamb is None else self.edit(pair, lamb)
            word = pair.coloured if name_colour else pair.plain
            got = {
                "efficacy": self.share(word("a {}"), pair.colour, model),
                "generality": [self.share(word(template), pair.colour, model) for template in POSITIVES],
                "specificity": [self.share(f"a {other}", ASSUMED_COLOUR[other], model) for other in pair.others],
            }
            rows.append({"pair": f"{pair.source} -> {pair.destination}", **got})
        means = {
            kind: float(np.mean([np.mean(row[kind]) for row in rows])) for kind in ("efficacy", "generality", "specificity")
        }
        return Score(**means, by_pair=rows)

    def edit(self, pair: Pair, lamb: float):
        augmentations = "A photo of \nAn image of \nA picture of "
        result = self.node.execute(
            model=self.sampler.toy.model,
            clip=self.sampler.toy.clip,
            source=pair.source,
            destination=pair.destination,
            lamb=lamb,
            strength=1.0,
            edit_keys=True,
            edit_values=True,
            augmentations=augmentations,
            preserve="",
        )
        return result.result[0]

    def share(self, prompt: str, colour: str, model) -> float:
        """Share of the seeds whose picture shows this colour."""
        if model is not None or prompt not in self.unedited:
            found = [judge(picture).colour for picture in self.sampler.pictures(prompt, self.seeds, model)]
            self.progress(len(found))
            if model is None:
                self.unedited[prompt] = found
        else:
            found = self.unedited[prompt]
        return float(np.mean([seen == colour for seen in found]))


def choose_lambda(bench: TimeBench) -> tuple[float, dict[float, Score]]:
    """The lambda with the best geometric mean on pairs that are not judged."""
    scores = {lamb: bench.score(CHOSEN_ON, lamb) for lamb in LAMBDAS}
    return max(scores, key=lambda lamb: scores[lamb].geometric_mean), scores
