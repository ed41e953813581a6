"""A TIME edit as a standard LoRA, for loaders that do not know the pack.

A LoRA adds up @ down to a weight and knows nothing of the weight that it meets, so the file belongs to the checkpoint
that it was made from: Delta W = strength * W P = up @ down.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import comfy.lora
import torch
from comfy.model_patcher import ModelPatcher
from torch.nn.functional import pad

from ..equations.time_edit import TimeEdit
from ..reading.current_weight import current_weight
from ..reading.families.text_reading import Projection
from ..reading.projections import CROSS_ATTENTION
from .adapter import TimeAdapter
from .apply import projections_for

# Of the names that the host's loader knows for one weight, in the order in which other programs understand them:
# kohya's with diffusers' block names, which diffusers reads too; diffusers' for transformers; the host's own.
PREFERRED = (
    re.compile(r"lora_unet_(?:down_blocks_\d+|mid_block|up_blocks_\d+)_attentions_.*"),
    re.compile(r"transformer\..*"),
    re.compile(r"lora_prior_unet_.*"),
    re.compile(r"diffusion_model\..*"),
    re.compile(r"lora_unet_.*"),
)


@dataclass(frozen=True)
class Lora:
    """`tensors` are what goes into the file, float16. `errors` are per weight, relative to its Delta W in the Frobenius
    norm and measured on the tensors as rounded."""

    tensors: dict[str, torch.Tensor]
    rank: int
    errors: tuple[float, ...]


def require_strength(strength: float) -> None:
    """Raise ValueError for a strength at which there is no edit to save."""
    if strength == 0 or not math.isfinite(strength):
        raise ValueError(f"strength is {strength:g}; it must be a finite number other than 0, such as 1 for the full edit.")


def export_lora(
    model: ModelPatcher,
    edit: TimeEdit,
    strength: float = 1.0,
    tolerance: float = 1e-3,
    where: str = CROSS_ATTENTION,
    step: Callable[[], None] = lambda: None,
) -> Lora:
    """The LoRA that changes the weights of `model` as `edit` at `strength` does.

    Patches that `model` carries already, such as LoRAs, count as part of its weights and are not part of the result.
    `edit` itself may not be among them: the result would be for the edited model.
    All get one rank, the smallest that leaves at most `tolerance` (0 to 1) of any Delta W out: diffusers misreads the
    scale of files whose ranks differ. `step` is called twice per weight.

    Raises ValueError for a tolerance outside [0, 1), a strength of 0, a model with this edit on it, numbers that float16
    cannot hold, weights that the host's loader has no name for, and as `projections_for`.
    """
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; it must be at least 0 and below 1, such as 0.001.")
    require_strength(strength)
    names = lora_names(model)
    by_weight: dict[str, list[Projection]] = {}
    for projection in projections_for(model, edit, where):
        by_weight.setdefault(projection.name, []).append(projection)
        if projection.name not in names:
            raise ValueError(f"ComfyUI's LoRA loader has no name for {projection.name!r}, so it cannot be saved as a LoRA.")
    if any(_carries(model, name, edit) for name in by_weight):
        raise ValueError("model already has this edit on its weights; connect the model from before the edit.")
    left = edit.left.double() * strength
    right_basis, right_core = torch.linalg.qr(edit.right.double())

    def core(name: str) -> torch.Tensor:
        """Delta W in the basis of the right factor, (out, rank)."""
        weight = current_weight(model, name).double()
        image = torch.zeros(weight.shape[0], left.shape[1], dtype=torch.float64)
        for projection in by_weight[name]:
            rows = slice(None) if projection.rows is None else slice(projection.rows[0], sum(projection.rows))
            image[rows] = weight[rows] @ left
        return image @ right_core.T

    rank = 1
    for name in by_weight:
        step()
        rank = max(rank, _rank(torch.linalg.svdvals(core(name)), tolerance))
    tensors, errors = {}, []
    for name in by_weight:
        step()
        delta = core(name)
        u, s, vh = torch.linalg.svd(delta, full_matrices=False)
        root = s[:rank].sqrt()
        missing = rank - len(root)  # of a weight with fewer rows than the rank
        up = pad(u[:, :rank] * root, (0, missing)).half()
        down = pad(root.unsqueeze(1) * (vh[:rank] @ right_basis.T), (0, 0, 0, missing)).half()
        if not (torch.isfinite(up).all() and torch.isfinite(down).all()):
            raise ValueError(f"The edit of {name!r} is too large for float16; lower strength or raise lambda.")
        size = delta.norm().item()  # 0 for a weight of zeros, which stays one
        missed = (up.double() @ down.double() - delta @ right_basis.T).norm().item()
        errors.append(missed / size if size else 0.0)
        tensors |= _entries(names[name], up.contiguous(), down.contiguous())
    return Lora(tensors, rank, tuple(errors))


def lora_names(model: ModelPatcher) -> dict[str, str]:
    """For every weight of `model` the LoRA name that most loaders understand."""
    candidates: dict[str, list[str]] = {}
    for lora_name, weight_name in comfy.lora.model_lora_keys_unet(model.model, {}).items():
        if isinstance(weight_name, str):
            candidates.setdefault(weight_name, []).append(lora_name)
    return {weight: min(names, key=_preference) for weight, names in candidates.items()}


def _carries(model: ModelPatcher, name: str, edit: TimeEdit) -> bool:
    """Whether `edit` is among the patches of a weight."""
    adapters = (patch[1] for patch in model.patches.get(name, []) if isinstance(patch[1], TimeAdapter))
    return any(all(map(torch.equal, adapter.weights, (edit.left, edit.right))) for adapter in adapters)


def _entries(name: str, up: torch.Tensor, down: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the file has for one weight: kohya's form for kohya's names. For the others diffusers' own, which means
    alpha = rank by having none: most of its pipelines for transformers do not read kohya's."""
    if name.startswith("lora_"):
        alpha = torch.tensor(float(len(down)), dtype=torch.float16)
        return {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down, f"{name}.alpha": alpha}
    return {f"{name}.lora_B.weight": up, f"{name}.lora_A.weight": down}


def _preference(name: str) -> int:
    return next((i for i, pattern in enumerate(PREFERRED) if pattern.fullmatch(name)), len(PREFERRED))


def _rank(singular_values: torch.Tensor, tolerance: float) -> int:
    """The fewest values whose rest is at most `tolerance` of all, at least 1."""
    rest = singular_values.square().flip(0).cumsum(0).flip(0).sqrt()
    return max(int((rest > tolerance * rest[0]).sum()), 1)
