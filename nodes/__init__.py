"""The pack's nodes: one file each, no mathematics, in the order in which the menu shows them."""

from .ddim_invert import DDIMInvert
from .diffedit_mask import DiffEditMask
from .masked_latent_sample import MaskedLatentSample
from .time_apply_edit import TIMEApplyEdit
from .time_compute_edit import TIMEComputeEdit
from .time_edit_conditioning import TIMEEditConditioning
from .time_edit_hook import TIMEEditHook
from .time_edit_model import TIMEEditModel
from .time_load_edit import TIMELoadEdit
from .time_save_edit import TIMESaveEdit
from .time_save_lora import TIMESaveLoRA

NODES = (
    TIMEEditModel,
    TIMEComputeEdit,
    TIMEApplyEdit,
    TIMEEditConditioning,
    TIMEEditHook,
    TIMESaveEdit,
    TIMELoadEdit,
    TIMESaveLoRA,
    DiffEditMask,
    DDIMInvert,
    MaskedLatentSample,
)
