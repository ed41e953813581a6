"""A text encoder of the right width that is not the model's own is used, and said."""

from dataclasses import replace
from types import SimpleNamespace

import comfy.sd
import pytest
from host.models import tiny
from host.models.families import CASES
from time_diffedit.nodes.time.time_apply_edit import TIMEApplyEdit
from time_diffedit.nodes.time.time_compute_edit import TIMEComputeEdit
from time_diffedit.nodes.time.time_edit_model import TIMEEditModel
from time_diffedit.nodes.time.time_prior import TIMEPrior
from time_diffedit.time_core.reading.own_encoder import doubt


def text_of(output) -> str:
    shown = output.ui
    return (shown if isinstance(shown, dict) else shown.as_dict())["text"][0]


@pytest.fixture
def edit():
    return TIMEComputeEdit.execute(tiny.clip(), "a rose", "a blue rose", 0.1).args[0]


def from_checkpoint(clone, path: str):
    """As the host marks what it has loaded."""
    clone.cached_patcher_init = (comfy.sd.load_checkpoint_guess_config, (path, False))
    return clone


def test_another_kind_of_encoder(edit, caplog):
    """Stable Audio's T5 has the width of SD 1.x's CLIP."""
    other = replace(edit, fingerprint=replace(edit.fingerprint, encoder="t5base"))
    text = text_of(TIMEApplyEdit.execute(tiny.unet(), other, 1.0))
    assert "Warning: the text encoder is t5base, and a BaseModel was trained with l." in text
    assert "connect the clip that belongs to the model" in caplog.text


def test_the_encoder_of_another_checkpoint(edit):
    model = from_checkpoint(tiny.unet().clone(), "/models/roses.safetensors")
    clip = tiny.clip().clone()
    from_checkpoint(clip.patcher, "/models/tulips.safetensors")
    for output in (
        TIMEEditModel.execute(model, clip, "a rose", "a blue rose", 0.1, 1.0),
        TIMEComputeEdit.execute(clip, "a rose", "a blue rose", 0.1, model),
    ):
        assert "Note: model is from roses.safetensors, and clip from tulips.safetensors; the edit holds if" in text_of(output)
    from_checkpoint(clip.patcher, "/models/roses.safetensors")
    assert doubt(model, "l", clip) == ""


def test_without_a_reason_nothing_is_said(edit):
    unknown = SimpleNamespace(model=SimpleNamespace(model_config=SimpleNamespace(clip_target=lambda state_dict: None)))
    assert doubt(tiny.unet(), "l", tiny.clip()) == doubt(unknown, "any") == ""
    assert "Warning" not in text_of(TIMEApplyEdit.execute(tiny.unet(), edit, 1.0))
    assert "Warning" not in text_of(TIMEEditModel.execute(tiny.unet(), tiny.clip(), "a rose", "a blue rose", 0.1, 1.0))


def test_a_projector_that_cannot_read_the_encoder():
    """Of another width than the model's own text encoder."""
    (wan,) = (case for case in CASES if case.name == "Wan 2.1")
    with pytest.raises(ValueError, match=r"^clip gives rows of width 768 that the text projector of model \(Wan\) cannot read"):
        TIMEPrior.execute(tiny.clip(), "a rose", wan.model())
