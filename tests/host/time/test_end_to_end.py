"""From prompts to the edited weights on other families than SD 1.x, through the nodes and the families' own text encoders."""

import comfy.sd
import pytest
import torch
from comfy.sdxl_clip import SDXLClipModel, SDXLTokenizer
from comfy.supported_models_base import ClipTarget
from comfy.text_encoders.flux import FluxClipModel, FluxTokenizer
from comfy.text_encoders.pixart_t5 import PixArtT5XXL, PixArtTokenizer
from host.models import tiny
from host.models.families import CASES
from time_diffedit.nodes.time.time_apply_edit import TIMEApplyEdit
from time_diffedit.nodes.time.time_compute_edit import TIMEComputeEdit
from time_diffedit.nodes.time.time_edit_conditioning import TIMEEditConditioning
from time_diffedit.nodes.time.time_edit_model import TIMEEditModel

T5 = {"num_layers": 1, "d_model": 40, "d_ff": 32, "num_heads": 2, "d_kv": 16}
MODELS = {case.name: case for case in CASES}
TEXT = {
    "source": "a house\na dog",
    "destination": "a tall house\na friendly dog",
    "lamb": 0.1,
    "edit_keys": True,
    "edit_values": True,
    "augmentations": "A photo of",
    "preserve": "a cat",
}


def clip(tokenizer, encoder, **options) -> comfy.sd.CLIP:
    small = {"load_device": tiny.CPU, "offload_device": tiny.CPU, **options}
    made = comfy.sd.CLIP(ClipTarget(tokenizer, encoder), model_options=small)
    tiny.initialise(made.cond_stage_model, seed=1)
    return made


def sdxl() -> comfy.sd.CLIP:
    few = {"num_hidden_layers": 3}
    return clip(SDXLTokenizer, SDXLClipModel, clip_l_model_config=few, clip_g_model_config=few)


def rows(text_encoder: comfy.sd.CLIP, prompt: str) -> torch.Tensor:
    return text_encoder.encode_from_tokens(text_encoder.tokenize(prompt))[0].double()


def formula(pairs: list[tuple[torch.Tensor, torch.Tensor]], lamb: float) -> torch.Tensor:
    source, destination = (torch.cat(side) for side in zip(*pairs, strict=True))
    system = source.T @ source + lamb * torch.eye(source.shape[1], dtype=torch.float64)
    return torch.linalg.solve(system, (destination - source).T @ source, left=False)


def relative(value: torch.Tensor, reference: torch.Tensor) -> float:
    return ((value.double() - reference).norm() / reference.norm()).item()


def expected(read, length: int, begin: int) -> torch.Tensor:
    """P for TEXT, one token inserted in every pair; `read` gives a prompt's rows, `begin` is 1 with a begin token.

    `length` is the number of rows of every prompt, 0 if prompts are as long as their words and the end.
    """
    pairs = []
    for old, new, at in (
        ("a house", "a tall house", 1),
        ("A photo of a house", "A photo of a tall house", 4),
        ("a dog", "a friendly dog", 1),
        ("A photo of a dog", "A photo of a friendly dog", 4),
    ):
        source, destination = read(old), read(new)
        inserted = len(destination) - len(source) if not length else 1
        at = at if begin else at + old.count("a ") - old.count("photo a ")  # T5 writes "a" in two pieces
        places = [*range(begin + at), *range(begin + at + inserted, len(destination))]
        places += [len(destination) - 1] * (len(source) - len(places))
        pairs.append((source, destination[places]))
    kept = read("a cat")
    return formula([*pairs, (kept, kept)], TEXT["lamb"])


def test_sdxl_reads_both_encoders_side_by_side():
    text_encoder, model = sdxl(), MODELS["SDXL"].model()
    before = tiny.weights(model)
    edited, edit = TIMEEditModel.execute(model=model, clip=text_encoder, strength=1.0, **TEXT).args
    assert edit.fingerprint.encoder == "g+l" and edit.text_width == 2048
    assert [[track.encoder for track in tracks] for tracks in edit.alignments] == [["g", "l"]] * 2
    assert all(track.inserted in (("tall",), ("friendly",)) for tracks in edit.alignments for track in tracks)
    p = expected(lambda prompt: rows(text_encoder, prompt), 77, 1)
    assert len(edited.patches) == 14
    for name in edited.patches:
        change = tiny.patched(edited, name).double() - before[name].double()
        assert relative(change, before[name].double() @ p) <= 1e-5


def test_rows_behind_the_model_s_own_projector():
    """PixArt: T5's rows pass two layers of the model before its keys and values."""
    text_encoder, model = clip(PixArtTokenizer, PixArtT5XXL, t5xxl_model_config=T5), MODELS["PixArt"].model()
    before = tiny.weights(model)
    edited, edit = TIMEEditModel.execute(model=model, clip=text_encoder, strength=1.0, **TEXT).args
    assert (edit.fingerprint.projector, edit.text_width, edit.fingerprint.width) == ("PixArt", 48, 48)

    def read(prompt: str) -> torch.Tensor:
        with torch.no_grad():
            return model.model.diffusion_model.y_embedder.y_proj(rows(text_encoder, prompt).float()).double()

    p = expected(read, 0, 0)
    name = "diffusion_model.blocks.0.cross_attn.kv_linear.weight"
    change = tiny.patched(edited, name).double() - before[name].double()
    assert relative(change, before[name].double() @ p) <= 1e-4

    again = TIMEApplyEdit.execute(model, edit, 1.0).args[0]
    assert torch.equal(tiny.patched(again, name), tiny.patched(edited, name))
    (raw,) = TIMEComputeEdit.execute(clip=text_encoder, **TEXT).args
    assert raw.text_width == 40
    with pytest.raises(ValueError, match="computed from clip alone, and the model .PixArt. reads text behind its projector"):
        TIMEApplyEdit.execute(model, raw, 1.0)
    other = MODELS["PixArt"].model()
    tiny.initialise(other.model, seed=11)
    with pytest.raises(ValueError, match="or its projector has other weights; compute the edit with this model connected"):
        TIMEApplyEdit.execute(other, edit, 1.0)
    with pytest.raises(ValueError, match="behind the text projector of PixArt; compute it from clip alone"):
        TIMEEditConditioning.execute([[rows(text_encoder, "a dog").unsqueeze(0), {}]], edit, 1.0)


def test_the_text_entry_layer_is_the_conditioning_edit():
    """Flux has joint attention: the entry layer of edited weights gives what the old one gives for edited text."""
    text_encoder = clip(FluxTokenizer, FluxClipModel, t5xxl_model_config=T5, clip_l_model_config={"num_hidden_layers": 2})
    model = MODELS["Flux"].model()
    edited, edit = TIMEEditModel.execute(model=model, clip=text_encoder, strength=0.6, where="text entry layer", **TEXT).args
    (name,) = edited.patches
    assert name == "diffusion_model.txt_in.weight"
    assert [[track.encoder for track in tracks] for tracks in edit.alignments] == [["t5xxl"]] * 2
    conditioning = [[rows(text_encoder, "a photo of a house").unsqueeze(0).float(), {}]]
    text = TIMEEditConditioning.execute(conditioning, edit, 0.6).args[0][0][0].double()
    weight = model.model.state_dict()[name].double()
    assert relative(conditioning[0][0].double() @ tiny.patched(edited, name).double().T, text @ weight.T) <= 1e-5
    with pytest.raises(ValueError, match="mixes text and picture in joint attention. Set where to 'text entry layer'"):
        TIMEEditModel.execute(model=model, clip=text_encoder, strength=1.0, **TEXT)
