"""The pack's nodes: one file each, no mathematics, in the order in which the menu shows them."""

from .ddim_invert import DDIMInvert
from .diffedit_mask import DiffEditMask
from .masked_latent_sample import MaskedLatentSample
from .time_edit_model import TIMEEditModel

NODES = (TIMEEditModel, DiffEditMask, DDIMInvert, MaskedLatentSample)
