"""The pack's nodes: one file each, no mathematics, in the order in which the menu shows them."""

from .average_prompt_embeddings import AveragePromptEmbeddings
from .caption_concept import CaptionConcept
from .caption_image import CaptionImage
from .composite_edited_picture import CompositeEditedPicture
from .ddim_invert import DDIMInvert
from .diffedit_mask import DiffEditMask
from .heatmap_to_mask import HeatmapToMask
from .masked_latent_sample import MaskedLatentSample
from .masked_latent_sample_advanced import MaskedLatentSampleAdvanced
from .masked_latent_sampler import MaskedLatentSampler
from .time_apply_edit import TIMEApplyEdit
from .time_balance import TIMEBalance
from .time_compute_edit import TIMEComputeEdit
from .time_edit_conditioning import TIMEEditConditioning
from .time_edit_hook import TIMEEditHook
from .time_edit_model import TIMEEditModel
from .time_load_edit import TIMELoadEdit
from .time_save_edit import TIMESaveEdit
from .time_save_lora import TIMESaveLoRA
from .trajectory_states import TrajectoryStates

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
    HeatmapToMask,
    DDIMInvert,
    MaskedLatentSample,
    MaskedLatentSampleAdvanced,
    MaskedLatentSampler,
    TrajectoryStates,
    CompositeEditedPicture,
    AveragePromptEmbeddings,
    CaptionImage,
    CaptionConcept,
    TIMEBalance,
)
