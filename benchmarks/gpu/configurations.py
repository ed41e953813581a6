"""What is measured: a model, the type of its weights, and whether the host manages its memory dynamically."""

from dataclasses import dataclass, field

STATIC, DYNAMIC, CPU = "static", "dynamic", "cpu"
"""Ways to start the host: with dynamic VRAM switched off, with it, and without the card."""


@dataclass(frozen=True)
class Model:
    """`kind` of tools.release.random_checkpoint; `pixels` along a side where it is timed, `compared` where it is compared."""

    title: str
    kind: str
    pixels: int
    compared: int


MODELS = {
    "sd15": Model("SD 1.5", "sd15", 512, 256),
    "sdxl": Model("SDXL", "sdxl", 1024, 256),
    "small": Model("small SD 1.5", "small", 64, 64),
}


@dataclass(frozen=True)
class Effort:
    """`steps` of a sampling whose steps are timed, `rounds` of it; steps of an inversion, noises of a mask, and edits.

    `prompts`: changed inputs of the edit, which else has the defaults of TIME Compute Edit.
    """

    steps: int = 10
    rounds: int = 2
    inversion: int = 20
    maps: int = 10
    edits: int = 5
    prompts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Configuration:
    model: str
    dtype: str
    start: str

    @property
    def name(self) -> str:
        memory = {STATIC: "", DYNAMIC: ", dynamic VRAM", CPU: ", CPU"}[self.start]
        return f"{MODELS[self.model].title}, {self.dtype}{memory}"


# The most important first: a run may be out of time before the last ones.
ALL = [
    Configuration(model, dtype, start)
    for model, dtype in (("sd15", "fp16"), ("sdxl", "fp16"), ("sd15", "bf16"), ("sdxl", "bf16"))
    for start in (STATIC, DYNAMIC)
]
SMALL = [Configuration("small", "bf16", CPU)]
SMALL_EFFORT = Effort(steps=3, rounds=1, inversion=4, maps=2, edits=1, prompts={"augmentations": ""})
