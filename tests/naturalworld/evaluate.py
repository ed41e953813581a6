"""What the trained model can do, measured: how well it draws what captions say, by the judge, through the host's sampling.

Run as `python -m naturalworld.evaluate FOLDER`: writes generation.json and a contact sheet there.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tools.comfyui.library import load_host

load_host(cpu=not torch.cuda.is_available())

from toyworld.build import write  # noqa: E402
from toyworld.host_model import Sampler, load_narrow  # noqa: E402

from .build import load_parts, stored_checkpoint  # noqa: E402
from .captions import caption  # noqa: E402
from .dataset import draw_split  # noqa: E402
from .judge import Verdict, load_judge  # noqa: E402
from .professions import GENDERS, PROFESSIONS  # noqa: E402
from .scenes import Scene, random_scene, seed_of  # noqa: E402

KINDS = ("a thing", "a thing with a colour", "a person", "two", "several")
CFGS = (1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
VAE_PICTURES = 500
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
        found[profession.noun] = shares | {"told": len(seen), "women in the world": profession.women}
    return found


def sheet(pictures: np.ndarray, file: Path) -> None:
    rows = [np.concatenate(list(pictures[i : i + SHEET_COLUMNS]), 1) for i in range(0, len(pictures), SHEET_COLUMNS)]
    whole = np.concatenate(rows[: len(pictures) // SHEET_COLUMNS], 0)
    Image.fromarray((whole * 255).round().astype(np.uint8)).save(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights")
    parser.add_argument("--count", type=int, default=300, help="captions of each kind")
    parser.add_argument("--people", type=int, default=50, help="pictures of each profession")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--cfg", type=float, default=0, help="measure at this one; else it is chosen on the validation split")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "naturalworld.safetensors"
    write(file, stored_checkpoint(options.weights))
    sampler = Sampler(load_narrow(file, load_parts(options.weights)[0]))
    judge = load_judge(options.weights)
    report: dict = {"PSNR of unseen pictures, dB": round(decibels_of_unseen(sampler), 2)}
    print(report, flush=True)

    def measured(split: str, count: int) -> tuple[dict, np.ndarray]:
        scenes = [one for kind in KINDS for one in of_kind(kind, count, split)]
        made = generate(sampler, [text for _, text in scenes], list(range(len(scenes))), options.batch)
        return shares_right(scenes, judge(made)), made

    if options.cfg:
        sampler.cfg = options.cfg
    else:
        by_cfg = {}
        for cfg in CFGS:
            sampler.cfg = cfg
            by_cfg[cfg] = measured("validation", max(10, options.count // 3))[0]
            print(cfg, by_cfg[cfg], flush=True)
        sampler.cfg = max(by_cfg, key=lambda cfg: np.mean([share for share, _ in by_cfg[cfg].values()]))
        report["by CFG, validation"] = by_cfg
    report["cfg"] = sampler.cfg
    report["test"], made = measured("test", options.count)
    report["professions"] = women_shown(sampler, judge, options.people, options.batch)
    print(json.dumps(report, indent=1), flush=True)
    (options.folder / "generation.json").write_text(json.dumps(report, indent=1) + "\n")
    every = len(made) // len(KINDS)
    sheet(
        np.concatenate([made[i * every : i * every + 2 * SHEET_COLUMNS] for i in range(len(KINDS))]),
        options.folder / "sheet.png",
    )


if __name__ == "__main__":
    main()
