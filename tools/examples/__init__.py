"""The example workflows, as functions that build them. The committed files in example_workflows/ are made from these."""

from .edits_of_a_picture import captioned_diffedit, diffedit, diffedit_advanced, time_edit_of_a_picture
from .pictures_from_prompts import edited_conditioning, scheduled_edit, several_edits, time_edit
from .shared import EXAMPLE_PICTURE, TOY_CHECKPOINT

EXAMPLES = {
    "time_edit_model": time_edit,
    "time_several_edits": several_edits,
    "time_edited_conditioning": edited_conditioning,
    "time_scheduled_edit": scheduled_edit,
    "diffedit": diffedit,
    "time_edit_of_a_picture": time_edit_of_a_picture,
    "diffedit_advanced": diffedit_advanced,
    "diffedit_captions": captioned_diffedit,
}

__all__ = ["EXAMPLES", "EXAMPLE_PICTURE", "TOY_CHECKPOINT"]
