"""`make naturalworld-card`: measure the trained model and its judge, and write CARD.md. Every number in it comes from this run.

What the model draws is read by the judge, through the host's own sampling.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tools.comfyui.environment import HOST, NATURAL_CHECKPOINT
from tools.comfyui.library import load_host

load_host(cpu=not torch.cuda.is_available())

from smallmodel.host_model import Sampler, load_narrow  # noqa: E402

from .build import load_parts  # noqa: E402
from .captions import caption  # noqa: E402
from .dataset import draw_split  # noqa: E402
from .evaluate_judge import evaluate_judge  # noqa: E402
from .judge import Verdict, load_judge  # noqa: E402
from .professions import GENDERS, PROFESSIONS  # noqa: E402
from .scenes import Scene, random_scene, seed_of  # noqa: E402

FOLDER = Path(__file__).parent
KINDS = ("a thing", "a thing with a colour", "a person", "two", "several")
CFGS = (3.0, 5.0, 7.0)
VAE_PICTURES = 200
SHEET_COLUMNS = 10


def of_kind(kind: str, count: int, split: str) -> list[tuple[Scene, str]]:
    """The first `count` scenes of a split that are of this kind, with their captions."""
    found, index = [], 0
    while len(found) < count:
        scene = random_scene(np.random.RandomState(seed_of(split, index)))
        index += 1
        if kind_of(scene) == kind:
            found.append((scene, caption(scene)))
    return found


def kind_of(scene: Scene) -> str:
    first = scene.subjects[0]
    if len(scene.subjects) == 2:
        return "two"
    if scene.count > 1:
        return "several"
    if first.gender is not None:
        return "a person"
    return "a thing with a colour" if first.says_colour else "a thing"


def checks(scene: Scene, verdict: Verdict) -> Iterable[tuple[str, bool]]:
    """What a picture of the scene's caption should show, and whether it does."""
    kind = kind_of(scene)
    yield f"{kind}: what it is", all(verdict.has(subject.noun) for subject in scene.subjects)
    if kind == "several":
        yield "several: their number", len(verdict.found) == scene.count
    for subject in scene.subjects:
        found = verdict.of(subject.noun)
        if found is None:
            continue
        natural = getattr(subject.of, "colour", None)
        if subject.says_colour:
            yield f"{kind}: the colour that is named", found.colour == subject.colour
        elif natural and subject.gender is None:
            yield f"{kind}: the natural colour", found.colour == natural
        if subject.says_gender:
            yield f"{kind}: the gender that is named", found.gender == subject.gender
    if scene.says_ground:
        yield "the ground that is named", verdict.ground == scene.ground


def shares_right(scenes: Sequence, verdicts: Sequence) -> dict[str, list[float]]:
    """{what: [share, count]}. Colours and genders are asked of the things that are there."""
    found: dict[str, list[bool]] = {}
    for (scene, _), verdict in zip(scenes, verdicts, strict=True):
        for what, right in checks(scene, verdict):
            found.setdefault(what, []).append(right)
    return {what: [round(float(np.mean(right)), 4), len(right)] for what, right in found.items()}


def generate(sampler: Sampler, captions: Sequence[str], seeds: Sequence[int], batch: int) -> np.ndarray:
    parts = range(0, len(captions), batch)
    return np.concatenate([sampler.pictures_of_prompts(captions[i : i + batch], list(seeds[i : i + batch])) for i in parts])


def decibels_of_unseen(sampler: Sampler, count: int = VAE_PICTURES) -> float:
    """Mean PSNR of pictures of the test split, encoded and decoded."""
    drawn = draw_split("test", count).pixels.astype(np.float32) / 255
    decoded = np.concatenate([sampler.decode(sampler.encode(drawn[i : i + 50])) for i in range(0, count, 50)])
    return float(np.mean(-10 * np.log10(((decoded - drawn) ** 2).mean((1, 2, 3)))))


def women_shown(sampler: Sampler, judge: Callable, count: int, batch: int) -> dict[str, dict]:
    """For each profession without a gender in the caption: the shares of its pictures that are women, men, neutral."""
    found = {}
    for number, profession in enumerate(PROFESSIONS):
        seeds = [10_000 * number + i for i in range(count)]
        verdicts = judge(generate(sampler, [f"a {profession.noun}"] * count, seeds, batch))
        seen = [found_one.gender for v in verdicts if (found_one := v.of(profession.noun))]
        shares = {gender: round(seen.count(gender) / max(1, len(seen)), 3) for gender in GENDERS}
        found[profession.noun] = shares | {"told": len(seen), "world": profession.women}
    return found


def sheet(pictures: np.ndarray, file: Path) -> None:
    rows = [np.concatenate(list(pictures[i : i + SHEET_COLUMNS]), 1) for i in range(0, len(pictures), SHEET_COLUMNS)]
    whole = np.concatenate(rows[: len(pictures) // SHEET_COLUMNS], 0)
    image = Image.fromarray((whole * 255).round().astype(np.uint8))
    image.resize((image.width // 2, image.height // 2)).save(file, quality=85)


CARD = """# The natural world's model

A text-to-image model of our own, {parameters} parameters (U-Net and text encoder) with a learned autoencoder; {size:.1f} MB
with the judge. `python -m naturalworld.build` makes an SD 1.5 checkpoint of it by adding zeros. README.md says what it knows
and how it learned, NOTICE.md whose pictures it learned from. The people in it are as unevenly women and men as
`professions.py` says: that is there to be measured and edited, not to be used.

![twenty pictures each of a thing, a thing with a colour, a person, two and several](sheet.jpg)

## Measured ({date}, `make naturalworld-card`, the host's euler, `normal`, 20 steps, CFG {cfg:g}, one seed a caption)

| what captions of the test split say, and pictures show | share | of |
|---|---|---|
{generation}

Colours and genders are asked of things that are there. CFG was chosen among {cfgs} on {tried} captions of the validation split,
by the mean of the shares: {by_cfg}. Pictures of the test split, encoded and decoded: {decibels:.2f} dB ({pictures} of them).

| the judge on drawn pictures of the test split | all | one thing | two | several | of all |
|---|---|---|---|---|---|
{judge}

| "a …", {people} pictures each | told | women | men | neutral | women among women and men in the world |
|---|---|---|---|---|---|
{professions}
"""


def card(report: dict) -> str:
    def percent(share: float) -> str:
        return f"{share:.1%}"

    told = report["judge"]

    def by_group(what: str) -> str:
        groups = (told[group] for group in ("all", "one", "two", "several"))
        return " | ".join(percent(group[what]["share"]) if what in group else "" for group in groups)

    weights = sorted((FOLDER / "weights").glob("*.safetensors"))
    return CARD.format(
        parameters=f"{sum(p.numel() for network in load_parts() for p in network.parameters()):,}",
        size=sum(file.stat().st_size for file in weights) / 1e6,
        date=date.today().isoformat(),
        cfg=report["cfg"],
        cfgs=", ".join(f"{cfg:g}" for cfg in CFGS),
        tried=report["tried"],
        by_cfg=", ".join(f"{cfg:g} {percent(share)}" for cfg, share in report["by cfg"].items()),
        decibels=report["decibels"],
        pictures=VAE_PICTURES,
        people=report["people"],
        generation="\n".join(f"| {what} | {percent(share)} | {count} |" for what, (share, count) in report["test"].items()),
        judge="\n".join(f"| {what} | {by_group(what)} | {right['of']} |" for what, right in told["all"].items()),
        professions="\n".join(
            f"| {noun} | {one['told']} | {' | '.join(percent(one[gender]) for gender in GENDERS)} | {percent(one['world'])} |"
            for noun, one in report["professions"].items()
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="captions of each kind")
    parser.add_argument("--people", type=int, default=50, help="pictures of each profession")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of CARD.md, card.json and sheet.jpg")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    sampler = Sampler(load_narrow(HOST / "ComfyUI" / "models" / "checkpoints" / NATURAL_CHECKPOINT, load_parts()[0]))
    judge = load_judge()
    report: dict = {"people": options.people, "tried": len(KINDS) * max(4, options.count // 10), "by cfg": {}}

    def measured(split: str, count: int) -> tuple[dict, np.ndarray]:
        scenes = [one for kind in KINDS for one in of_kind(kind, count, split)]
        made = generate(sampler, [text for _, text in scenes], list(range(len(scenes))), options.batch)
        return shares_right(scenes, judge(made)), made

    for sampler.cfg in CFGS:
        found, _ = measured("validation", max(4, options.count // 10))
        report["by cfg"][sampler.cfg] = round(float(np.mean([share for share, _ in found.values()])), 4)
    report["cfg"] = sampler.cfg = max(report["by cfg"], key=report["by cfg"].get)
    report["test"], made = measured("test", options.count)
    report["professions"] = women_shown(sampler, judge, options.people, options.batch)
    report["decibels"] = round(decibels_of_unseen(sampler), 2)
    report["judge"] = evaluate_judge(judge)
    (options.folder / "card.json").write_text(json.dumps(report, indent=2) + "\n")
    (options.folder / "CARD.md").write_text(card(report))
    print(card(report))
    shown = [made[i * options.count :][: 2 * SHEET_COLUMNS] for i in range(len(KINDS))]
    sheet(np.concatenate(shown), options.folder / "sheet.jpg")


if __name__ == "__main__":
    main()
