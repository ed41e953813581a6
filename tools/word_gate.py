"""How well the words of a prompt tell whether it is about an edit: `python -m tools.word_gate <TIMED file> ...`

For each file of TIMED (time-diffusion's data/*.csv) and each way to wake TIME Text Encode: the share of related prompts that it
catches and of unrelated ones that it leaves alone, "named" being those of them that have the source's words ("a green banana"),
with and without prompt_wins. No model is read. "With synonyms" adds SYNONYMS, the words that a user would list; they were
written with the prompts in sight, so that these rows say what a list can do and not what it does unseen.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from benchmarks.data.timed import read_bias, read_timed

from .comfyui.library import load_pack

time_core = load_pack().time_core
word_gate, Pair = time_core.application.word_gate, time_core.prompts.pairs.Pair

SYNONYMS = {
    "a bear": ("Baloo",),
    "a bed": ("bedroom", "hotel room"),
    "a boat": ("speedboat",),
    "a bride": ("wedding", "marriage"),
    "a bunny": ("rabbit",),
    "a cat": ("kitten", "sphynx"),
    "a cow": ("calf",),
    "a dog": ("puppy", "bulldog", "chihuahua"),
    "a frog": ("toad",),
    "a groom": ("wedding", "marriage"),
    "a hen": ("chicken",),
    "a horse": ("foal",),
    "a house": ("townhouse", "farmhouse", "bungalow"),
    "a medal": ("medallion",),
    "a pig": ("swine", "piglet"),
    "a rock": ("boulder", "pebble"),
    "a sheep": ("lamb",),
    "a stone": ("boulder", "pebble"),
    "a vehicle": ("car", "bus", "hatchback", "SUV"),
    "a watch": ("wristwatch",),
    "a zoo": ("safari",),
    "ice cream": ("gelato",),
    "the sun": ("sunny", "sunset", "sunrise"),
}


@dataclass(frozen=True)
class Prompts:
    """One edit, with prompts that are about it and prompts that are not."""

    source: str
    destination: str
    related: tuple[str, ...]
    unrelated: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """One way to wake: the node's settings of these names, `synonyms` being whether SYNONYMS are listed."""

    wake: str
    synonyms: bool
    prompt_wins: bool

    def is_awake(self, prompt: str, row: Prompts) -> bool:
        synonyms = SYNONYMS.get(row.source.lower(), ()) if self.synonyms else ()
        gate = word_gate.WordGate(self.wake, synonyms, () if self.prompt_wins else None)
        return bool(gate.awake(prompt, (Pair(row.source, row.destination),)))


def read(path: Path) -> list[Prompts]:
    """Of both forms of TIMED. Raises ValueError for a file in which a row cannot be read."""
    columns = path.read_text(encoding="utf-8-sig").partition("\n")[0].split(",")
    if "validation" in columns:
        found, problems = read_bias(path)
        rows = [Prompts(row.old, row.new, row.validations + row.tests, ()) for row in found]
    else:
        found, problems = read_timed(path)
        rows = [Prompts(row.old, row.new, _prompts(row.positives), _prompts(row.negatives)) for row in found]
    if problems:
        raise ValueError("\n".join(problems))
    return rows


def _prompts(pairs: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(prompt for prompt, _ in pairs)


def shares(rows: list[Prompts], gate: Gate) -> tuple[float, float, float]:
    """Of the related prompts those that are caught, of the unrelated ones those that are left alone, and of the unrelated
    ones with the source's words."""
    caught = [gate.is_awake(prompt, row) for row in rows for prompt in row.related]
    alone = [not gate.is_awake(prompt, row) for row in rows for prompt in row.unrelated]
    by_words = replace(gate, prompt_wins=False)
    named = [not gate.is_awake(prompt, row) for row in rows for prompt in row.unrelated if by_words.is_awake(prompt, row)]
    return _share(caught), _share(alone), _share(named)


def wrong(rows: list[Prompts], gate: Gate) -> Iterator[str]:
    for row in rows:
        edit = f"{row.source} -> {row.destination}"
        yield from (f"missed: {edit} | {prompt}" for prompt in row.related if not gate.is_awake(prompt, row))
        yield from (f"woken:  {edit} | {prompt}" for prompt in row.unrelated if gate.is_awake(prompt, row))


def _share(answers: list[bool]) -> float:
    return 100 * sum(answers) / len(answers) if answers else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="files of TIMED")
    parser.add_argument("--list", action="store_true", help="also list every prompt that is told wrongly, with synonyms")
    options = parser.parse_args()
    print(f"{'file':36} {'wake':18} {'synonyms':8} {'prompt_wins':11} {'caught %':>9} {'left alone %':>13} {'named %':>8}")
    for path in options.files:
        rows = read(path)
        for wake, synonyms, wins in product(word_gate.RULES[:2], (False, True), (False, True)):
            caught, alone, named = shares(rows, Gate(wake, synonyms, wins))
            settings = f"{wake:18} {'with' if synonyms else 'without':8} {'on' if wins else 'off':11}"
            print(f"{path.name:36} {settings} {caught:9.1f} {alone:13.1f} {named:8.1f}")
        if options.list:
            print(*wrong(rows, Gate(word_gate.RULES[0], True, True)), sep="\n")


if __name__ == "__main__":
    main()
