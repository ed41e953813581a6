"""SD 1.x, SD 2.x, SDXL and its refiner: raw text rows reach the keys and values (comfy/ldm/modules/attention.py)."""

from .family import Family, in_blocks


def _part(name: str) -> str:
    return {"input_blocks": "down", "middle_block": "middle", "output_blocks": "up"}[name.split(".")[1]]


UNET = Family(
    name="U-Net (SD 1.x, SD 2.x, SDXL)",
    # attn1 reads the picture; the names of Stable Video Diffusion's time_stack do not fit.
    find=in_blocks(
        r"(?P<block>diffusion_model\.(?:input_blocks\.\d+|middle_block|output_blocks\.\d+)\.\d+\."
        r"transformer_blocks\.\d+)\.attn2\.to_(?:(?P<key>k)|(?P<value>v))\.weight",
        _part,
    ),
    note="SDXL also reads a pooled text vector, which an edit leaves as it is.",
)
