"""The pack's nodes: one file each, no mathematics, in the order in which the menu shows them."""

from .diffedit.average_prompt_embeddings import AveragePromptEmbeddings
from .diffedit.caption_concept import CaptionConcept
from .diffedit.caption_image import CaptionImage
from .diffedit.composite_edited_picture import CompositeEditedPicture
from .diffedit.crop_around_mask import CropAroundMask
from .diffedit.ddim_invert import DDIMInvert
from .diffedit.diffedit_mask import DiffEditMask
from .diffedit.heatmap_to_mask import HeatmapToMask
from .diffedit.masked_flow_edit import MaskedFlowEdit
from .diffedit.masked_latent_sample import MaskedLatentSample
from .diffedit.masked_latent_sample_advanced import MaskedLatentSampleAdvanced
from .diffedit.masked_latent_sampler import MaskedLatentSampler
from .diffedit.picture_drift import PictureDrift
from .diffedit.stitch_crop import StitchCrop
from .diffedit.trajectory_states import TrajectoryStates
from .time.time_apply_edit import TIMEApplyEdit
from .time.time_balance import TIMEBalance
from .time.time_combine_edits import TIMECombineEdits
from .time.time_compute_edit import TIMEComputeEdit
from .time.time_edit_conditioning import TIMEEditConditioning
from .time.time_edit_hook import TIMEEditHook
from .time.time_edit_model import TIMEEditModel
from .time.time_load_edit import TIMELoadEdit
from .time.time_prior import TIMEPrior
from .time.time_save_edit import TIMESaveEdit
from .time.time_save_lora import TIMESaveLoRA
from .time.time_text_encode import TIMETextEncode

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
    TIMEPrior,
    TIMETextEncode,
    TIMECombineEdits,
    CropAroundMask,
    StitchCrop,
    MaskedFlowEdit,
    PictureDrift,
)
