"""`make toyworld-clip-card`: how well the toy world's CLIP agrees with the pixel judge on generated pictures.

Two-way, as the TIME paper judges: of two texts the one with the larger cosine. Writes clip_card.json and its part of CARD.md.
"""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from tools.comfyui.environment import HOST, TOY_CHECKPOINT
from tools.comfyui.library import load_host, load_pack

load_host()
load_pack()

from smallmodel.host_model import Sampler, load_narrow  # noqa: E402
from time_diffedit.time_core.balance.zero_shot import picture_embeddings, text_embeddings  # noqa: E402

from .clip_host import load_vision_half, narrow_text_half, narrow_vision_half  # noqa: E402
from .judge import Verdict, judge  # noqa: E402
from .stored import load_unet  # noqa: E402
from .world import ASSUMED_COLOUR, BACKGROUNDS, COLOURS, OBJECTS, TEMPLATES, Scene  # noqa: E402

FOLDER = Path(__file__).parent
HEADING = "## Its CLIP"
BATCH = 12
PICTURES_OF_EACH = 2
ON_THE_WIDE_MODEL = 4


def scenes() -> list[Scene]:
    """Every object in every colour and without one, on any background, in any wording."""
    rng = np.random.RandomState(5)
    plain = [Scene(noun, colour or "red", colour is not None) for noun in OBJECTS for colour in (None, *COLOURS)]
    backgrounds = list(BACKGROUNDS)
    return [
        replace(scene, background=backgrounds[rng.randint(len(backgrounds))], template=TEMPLATES[rng.randint(len(TEMPLATES))])
        for scene in plain * PICTURES_OF_EACH
    ]


def generate(captions: list[str]) -> np.ndarray:
    """One picture a caption, (n, 128, 128, 3) in 0..1; the seed is the caption's number."""
    sampler = Sampler(load_narrow(HOST / "ComfyUI" / "models" / "checkpoints" / TOY_CHECKPOINT, load_unet()))
    pictures = []
    for first in tqdm(range(0, len(captions), BATCH), desc="generating", unit="batch", mininterval=10):
        part = captions[first : first + BATCH]
        pictures.append(sampler.pictures_of_prompts(part, list(range(first, first + len(part)))))
    return np.concatenate(pictures)


class Texts:
    """Cosines of one picture with the captions of the world's objects."""

    def __init__(self, clip):
        self.phrases = [(noun, colour) for noun in OBJECTS for colour in (None, *COLOURS)]
        captions = [Scene(noun, colour or "red", colour is not None).caption for noun, colour in self.phrases]
        self.embeddings = text_embeddings(clip, captions)

    def cosines(self, picture: torch.Tensor) -> dict[tuple[str, str | None], float]:
        return dict(zip(self.phrases, (self.embeddings @ picture).tolist(), strict=True))


def questions(seen: Verdict, cosine: dict) -> dict[str, list[bool]]:
    """Each two-way question about one picture, and whether CLIP says what the pixels say."""
    noun, colour, assumed = seen.noun, seen.colour, ASSUMED_COLOUR[seen.noun]
    colours = [cosine[noun, colour] > cosine[noun, other] for other in COLOURS if other != colour]
    nouns = [cosine[noun, colour] > cosine[other, colour] for other in OBJECTS if other != noun]
    if colour == assumed:
        assumption = [cosine[noun, None] > cosine[noun, other] for other in COLOURS if other != assumed]
    else:
        assumption = [cosine[noun, colour] > cosine[noun, None]]
    return {"colour": colours, "object": nouns, "assumed or named colour": assumption}


def agreement(pictures: np.ndarray, embeddings: torch.Tensor, texts: Texts) -> dict[str, float]:
    verdicts = [judge(picture) for picture in pictures]
    answered = [
        (seen.noun, kind, answers)
        for seen, embedding in zip(verdicts, embeddings, strict=True)
        if seen.noun
        for kind, answers in questions(seen, texts.cosines(embedding)).items()
    ]
    found = {"pictures": len(pictures), "pictures without an object, left out": sum(not seen.noun for seen in verdicts)}
    for kind in ("colour", "object", "assumed or named colour"):
        of_noun = {noun: sum((a for n, k, a in answered if (n, k) == (noun, kind)), []) for noun in OBJECTS}
        found[f"two-way agreement: {kind}"] = float(np.mean(sum(of_noun.values(), [])))
        found[f"two-way agreement: {kind}, worst object"] = min(float(np.mean(a)) for a in of_noun.values() if a)
    return found


def section(measured: dict[str, float], day: str) -> str:
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in measured.items())
    return f"""{HEADING} ({day}, `make toyworld-clip-card`)

A CLIP for the toy world, in the formats of the host's Load CLIP (the text encoder above with a projection) and Load CLIP
Vision (a narrow ViT scattered into a ViT-L/14), trained by `make toyworld-clip` on drawn pictures only. "A rose" means a
red one to it.
On pictures that the toy model generated (euler, 20 steps, CFG 3, one seed each), against the pixel judge:

| what | value |
|---|---|
{rows}

Two-way: of "a red rose" and each other colour of it, of "a red rose" and each other red object, of "a rose" and each colour
it is not assumed to have, the larger cosine has to be that of what the pixels say.
"""


def stored_section() -> str:
    card = json.loads((FOLDER / "clip_card.json").read_text())
    return section(card["measured"], card["date"])


def main() -> None:
    torch.set_grad_enabled(False)
    models = HOST / "ComfyUI" / "models"
    pictures = generate([scene.caption for scene in scenes()])
    tensor = torch.from_numpy(pictures)
    embeddings = picture_embeddings(narrow_vision_half(), tensor)
    measured = agreement(pictures, embeddings, Texts(narrow_text_half(models)))
    some = torch.arange(0, len(pictures), len(pictures) // ON_THE_WIDE_MODEL)[:ON_THE_WIDE_MODEL]
    wide = picture_embeddings(load_vision_half(models), tensor[some])
    measured["narrow against ViT-L, smallest cosine"] = float((wide * embeddings[some]).sum(1).min())
    card = {"date": date.today().isoformat(), "measured": measured}
    (FOLDER / "clip_card.json").write_text(json.dumps(card, indent=2) + "\n")
    whole = (FOLDER / "CARD.md").read_text().split(HEADING)[0].rstrip()
    (FOLDER / "CARD.md").write_text(f"{whole}\n\n{stored_section()}")
    print(stored_section())


if __name__ == "__main__":
    main()
