"""In: the names of a model's weights. Out: its family, one entry for each that TIME can edit, or why it cannot be.

Read `text_reading` (what is found), `family` (what is known of a family), `unet`, then the others in any order.
"""

import re

from .audio import ACE_STEP, STABLE_AUDIO_1
from .cosmos import ANIMA, COSMOS_1, COSMOS_PREDICT2
from .family import Family
from .joint import AURA_FLOW, FLUX, KANDINSKY_5, LUMINA_2, OMNIGEN_2, QWEN_IMAGE, SD3
from .picture import CASCADE_C, HUNYUAN_DIT, PIXART
from .unet import UNET
from .video import LTXV, WAN

FAMILIES: tuple[Family, ...] = (
    UNET,
    COSMOS_1,
    COSMOS_PREDICT2,
    ANIMA,
    PIXART,
    HUNYUAN_DIT,
    CASCADE_C,
    WAN,
    LTXV,
    ACE_STEP,
    STABLE_AUDIO_1,
    SD3,
    FLUX,
    AURA_FLOW,
    QWEN_IMAGE,
    LUMINA_2,
    OMNIGEN_2,
    KANDINSKY_5,
)

# Weights that only models have which look like one of the families and cannot be edited as it is, and why.
REFUSED = {
    re.compile(r".*\.time_stack\..*"): "reads pictures and not text",
    re.compile(r"diffusion_model\.transformer_blocks\.\d+\.audio_attn2\..*"): "reads text by two projectors, one for the "
    "picture and one for the sound",
    re.compile(r"diffusion_model\.transformer_blocks\.\d+\.prompt_scale_shift_table"): "changes its text rows with the "
    "timestep before the keys and values read them",
    re.compile(r"diffusion_model\.clip_mapper\.weight"): "reads one pooled vector of the text and no words",
    re.compile(r"diffusion_model\.decoder\.layers\.\d+\.cross_attn\.k_proj\.weight"): "mixes text, lyrics and sound in an "
    "encoder of its own before the keys and values read them",
}
