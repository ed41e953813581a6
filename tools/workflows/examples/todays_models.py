"""Edits of a picture with the models that people run today: mask and edit from the same two prompts, without inversion.

Files, shifts and guidance are those of the host's own templates for these models. Steps, strength and guidance of the edit are
those that FlowEdit (Kulikov et al., ICCV 2025) gives for SD 3 and Flux.
"""

from .edit_without_inversion import Guidance, edit_without_inversion
from .shared import HOSTS_PICTURE, RED_ROSE, Example, Parts

PUBLISHED_SD3, PUBLISHED_FLUX = Guidance(13.5, 3.5), Guidance(5.5, 1.5, by_cfg=False)


KONTEXT = Parts(
    "flux1-dev-kontext_fp8_scaled.safetensors",
    ("clip_l.safetensors", "t5xxl_fp8_e4m3fn_scaled.safetensors"),
    "ae.safetensors",
    "flux",
)
MODELS = {
    "sd35": "sd3.5_large_fp8_scaled.safetensors",
    "flux": Parts("flux1-dev.safetensors", ("clip_l.safetensors", "t5xxl_fp16.safetensors"), "ae.safetensors", "flux"),
    "flux2": Parts("flux-2-klein-base-4b.safetensors", ("qwen_3_4b.safetensors",), "flux2-vae.safetensors", "flux2"),
    "z_image": Parts(
        "z_image_bf16.safetensors", ("qwen_3_4b.safetensors",), "ae.safetensors", "lumina2", "ModelSamplingAuraFlow", 3.0
    ),
    "wan": Parts(
        "wan2.1_t2v_1.3B_fp16.safetensors",
        ("umt5_xxl_fp8_e4m3fn_scaled.safetensors",),
        "wan_2.1_vae.safetensors",
        "wan",
        "ModelSamplingSD3",
        8.0,
    ),
}
NOTE = """## Edit a picture with {name}, without inversion

**DiffEdit Mask** finds where both prompts disagree; **Masked Flow Edit** moves the picture there from the one to the other
(FlowEdit). Outside the mask the picture stays as it is.

1. Get the files that the loaders name; the browser offers those that are missing.
2. Describe the picture as it is and as it shall be, with the same words for what stays. {words}
3. Run. Drag the line under the mask, run again.

{advice} Another `seed` gives another edit."""
BY_CFG = "Too little changes: raise `target_cfg` or `strength`. Too much of the old is left: raise `source_cfg`."


def _example(
    model: str, name: str, words: str, target: str, advice: str = BY_CFG, **settings: Guidance | int | float | str
) -> Example:
    girl = {"source": "a drawing of a girl in a pink dress", "target": "a drawing of a girl in a blue dress"}
    return Example(
        edit_without_inversion,
        {"checkpoint": MODELS[model], "picture": HOSTS_PICTURE, **girl, **settings, "prefix": f"edited_with_{model}"},
        NOTE.format(name=name, words=words, advice=advice),
        ("Picture to edit", "Edited inside the mask, untouched outside"),
        natural={"source": RED_ROSE, "target": f"{target} on grass"},
    )


TODAYS_MODELS = {
    "edit_with_sd35": _example(
        "sd35", "SD 3.5", "Long, exact prompts help.", "a pink rose", guidance=PUBLISHED_SD3, steps=50, strength=0.66
    ),
    "edit_with_flux": _example(
        "flux",
        "Flux",
        "It reads whole sentences.",
        "a purple rose",
        "Flux reads how strongly it is guided. Too little changes: raise the target's `guidance`, or `strength`. Too much "
        "of the old is left: raise the source's.",
        guidance=PUBLISHED_FLUX,
        steps=28,
        strength=0.86,
    ),
    "edit_with_flux2": _example(
        "flux2", "Flux 2", "It reads whole sentences.", "an orange rose", guidance=Guidance(5.0, 1.5), steps=28, strength=0.86
    ),
    "edit_with_z_image": _example(
        "z_image", "Z-Image", "It reads whole sentences.", "a yellow rose", guidance=Guidance(5.0, 2.0), steps=28, strength=0.8
    ),
    "edit_with_wan": _example(
        "wan",
        "Wan",
        "It is a model of videos, and edits a picture as a video of one frame; of more frames each has a mask of its own.",
        "a sunflower",
        guidance=Guidance(6.0, 2.0),
        steps=30,
        strength=0.8,
    ),
}
