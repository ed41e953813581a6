"""`make toyworld-card`: measure the trained model and write CARD.md. Every number in the card comes from this run."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from tools.comfyui.environment import HOST, TOY_CHECKPOINT
from tools.comfyui.library import load_host

load_host()

from smallmodel.host_model import Sampler, load_checkpoint, load_narrow  # noqa: E402

from .evaluate_clip import stored_section  # noqa: E402
from .judge import judge  # noqa: E402
from .stored import load_text_encoder, load_unet  # noqa: E402
from .train import Settings  # noqa: E402
from .world import ASSUMED_COLOUR, BACKGROUNDS, COLOURS, OBJECTS, TEMPLATES, Scene, draw, random_scene  # noqa: E402

FOLDER = Path(__file__).parent
JUDGED_PICTURES = 2000
VAE_PICTURES = 200
CHECKED_AGAINST_CHECKPOINT = 12
BATCH = 16


def all_single_object_scenes() -> list[Scene]:
    """Every caption with one object; `colour` is the one it names or, where it names none, the assumed one."""
    return [
        Scene(noun, colour or ASSUMED_COLOUR[noun], colour is not None, background, False, template)
        for noun in OBJECTS
        for colour in (None, *COLOURS)
        for background in BACKGROUNDS
        for template in TEMPLATES
    ]


def judge_accuracy() -> dict[str, float]:
    """The judge on drawn pictures; positions are in the 64 x 64 frame."""
    rng = np.random.RandomState(99)
    right = {"object": 0, "colour": 0, "count": 0}
    distances = []
    for _ in range(JUDGED_PICTURES):
        scene = random_scene(rng)
        picture = draw(rng, scene)
        verdict = judge(picture.pixels)
        right["object"] += verdict.noun == scene.noun
        right["colour"] += verdict.colour == scene.colour
        right["count"] += verdict.count == 1 + scene.pair
        if not scene.pair and verdict.centre:
            y, x = np.argwhere(picture.mask > 0.5).mean(0) / 2
            distances.append(float(np.hypot(verdict.centre[0] - x, verdict.centre[1] - y)))
    shares = {name: count / JUDGED_PICTURES for name, count in right.items()}
    return shares | {"mean position error (of 64)": float(np.mean(distances))}


def encode_decode_psnr(sampler: Sampler) -> float:
    rng = np.random.RandomState(98)
    pictures = np.stack([draw(rng, random_scene(rng)).pixels for _ in range(VAE_PICTURES)])
    decoded = sampler.decode(sampler.encode(pictures))
    return float(np.mean(-10 * np.log10(((decoded - pictures) ** 2).mean((1, 2, 3)))))


def generation_accuracy(sampler: Sampler, scenes: list[Scene]) -> dict[str, float]:
    """One picture a caption, seed = the caption's number, judged from pixels."""
    verdicts = []
    for first in tqdm(range(0, len(scenes), BATCH), desc="captions", unit="batch", mininterval=10):
        captions = [scene.caption for scene in scenes[first : first + BATCH]]
        seeds = list(range(first, first + len(captions)))
        verdicts += [judge(picture) for picture in sampler.pictures_of_prompts(captions, seeds)]
    right = [v.colour == s.colour for v, s in zip(verdicts, scenes, strict=True)]
    return {
        "captions": len(scenes),
        "right colour": float(np.mean(right)),
        "right object": float(np.mean([v.noun == s.noun for v, s in zip(verdicts, scenes, strict=True)])),
        "right assumed colour": float(np.mean([r for r, s in zip(right, scenes, strict=True) if not s.names_colour])),
    }


def narrow_equals_checkpoint(narrow: Sampler, full: Sampler, scenes: list[Scene]) -> float:
    """Largest pixel difference between the narrow network and the padded checkpoint, over whole sampled pictures."""
    picked = scenes[:: len(scenes) // CHECKED_AGAINST_CHECKPOINT]
    return max(
        float(np.abs(narrow.pictures(scene.caption, [seed]) - full.pictures(scene.caption, [seed])).max())
        for seed, scene in enumerate(tqdm(picked, desc="against the checkpoint"))
    )


CARD = """# The toy world's model

A text-to-image model of our own: {parameters} trained parameters (UNet and text encoder), {size:.1f} MB, in SD 1.5
checkpoint format after
`python -m toyworld.build` has added the zeros that the host's shapes ask for. It is a toy, made to measure edits on: its
training (dropping text rows, see `drop_rows`) favours methods that edit what single text rows mean.

## What it knows

{objects} objects, each with a colour that it assumes: {assumed}. Seven colours by name, "two" of an object, backgrounds
"on grass" and "on sand", five sentence templates. Pictures are 128 x 128, latents 16 x 16.

## How it was trained

`make toyworld` with the settings in `train.py` ({settings}), on the CPU in bfloat16.

## Measured ({date}, `make toyworld-card`)

| what | value |
|---|---|
{table}

Generation: the host's euler, `normal` schedule, 20 steps, CFG 3, all single-object captions, one seed each, run on the
narrow network inside the host's model class. The last row is the largest difference of a pixel (0..1) between that and
the checkpoint as the host loads it, over {checked} whole pictures.

{clip}"""


def main() -> None:
    torch.set_grad_enabled(False)
    checkpoint = HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT
    narrow, full = Sampler(load_narrow(checkpoint, load_unet())), Sampler(load_checkpoint(checkpoint))
    scenes = all_single_object_scenes()
    measured = {f"judge on drawn pictures: {name}": value for name, value in judge_accuracy().items()}
    measured["encode-decode PSNR, dB"] = encode_decode_psnr(narrow)
    measured |= generation_accuracy(narrow, scenes)
    measured["narrow against checkpoint, largest pixel difference"] = narrow_equals_checkpoint(narrow, full, scenes)
    weights = [FOLDER / "weights" / f"{part}.safetensors" for part in ("unet", "text_encoder", "decoder")]
    settings = Settings()
    card = CARD.format(
        parameters=f"{sum(p.numel() for p in [*load_unet().parameters(), *load_text_encoder().parameters()]):,}",
        size=sum(path.stat().st_size for path in weights) / 1e6,
        objects=len(OBJECTS),
        assumed=", ".join(f"{noun} {colour}" for noun, colour in ASSUMED_COLOUR.items()),
        settings=f"{settings.steps} steps of {settings.batch}, {settings.pictures} pictures, seed {settings.seed}",
        date=date.today().isoformat(),
        table="\n".join(f"| {name} | {value:.4g} |" for name, value in measured.items()),
        checked=CHECKED_AGAINST_CHECKPOINT,
        clip=stored_section(),
    )
    (FOLDER / "CARD.md").write_text(card)
    (FOLDER / "card.json").write_text(json.dumps(measured, indent=2) + "\n")
    print(card)


if __name__ == "__main__":
    main()
