"""TIME Prior, and edits with a prior or with prompts that are kept exactly, on the host's own classes."""

from dataclasses import replace

import folder_paths
import pytest
import torch
from host.models import tiny
from safetensors.torch import save_file
from time_diffedit.nodes.shared import places
from time_diffedit.nodes.time.time_compute_edit import TIMEComputeEdit
from time_diffedit.nodes.time.time_prior import TIMEPrior
from time_diffedit.time_core.application.edit_file import load_edit, save_edit
from time_diffedit.time_core.application.prior_file import load_prior, save_prior
from time_diffedit.time_core.equations import solve
from time_diffedit.time_core.equations.many_prompts import BATCH, batches_are_exact, make_prior
from time_diffedit.time_core.equations.prior import Prior, digest_of
from time_diffedit.time_core.prompts.pairs import PRESERVE_MODES
from time_diffedit.time_core.prompts.text import TextReader

PROMPTS = tuple(
    f"a {look} {thing} in a garden" for look in ("small", "wooden", "red") for thing in ("chair", "cup", "car", "hat")
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The host's own folder setting, on a temporary folder."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, places.PRIORS, ([str(tmp_path / "priors")], set()))
    return tmp_path / "priors"


@pytest.fixture(scope="module")
def prior() -> Prior:
    return make_prior(TextReader(tiny.clip()), PROMPTS)


def defaults() -> dict:
    return {i.id: i.default for i in TIMEComputeEdit.define_schema().inputs if getattr(i, "default", None) is not None}


def edit(**changes):
    given = {"clip": tiny.clip(), "source": "a dog", "destination": "a red dog"}
    return TIMEComputeEdit.execute(**{**defaults(), **given, **changes})


def leak(made, prompt: str) -> float:
    return solve.leak(TextReader(tiny.clip()).read(prompt).rows, made.left.double(), made.right.double())


def test_a_prior_is_the_second_moment_of_the_rows(prior):
    reader = TextReader(tiny.clip())
    rows = torch.cat([reader.read(prompt).rows for prompt in PROMPTS])
    expected = rows.T @ rows
    expected *= len(expected) / expected.trace()
    basis, values = prior.basis.double(), prior.values.double()
    assert ((basis * values) @ basis.T - expected).norm() <= 1e-4 * expected.norm()
    assert (prior.prompts, prior.digest) == (len(PROMPTS), digest_of(PROMPTS))
    assert prior.fingerprint == reader.fingerprint


def test_prompts_are_encoded_in_batches(monkeypatch):
    """One call of the text encoder for a batch, where it gives the rows that single calls give."""
    reader, asked, steps = TextReader(tiny.clip()), [], []
    assert batches_are_exact(reader, PROMPTS[:2])
    encode = reader.clip.encode_from_tokens
    monkeypatch.setattr(reader.clip, "encode_from_tokens", lambda *a, **k: asked.append(a) or encode(*a, **k))
    make_prior(reader, PROMPTS * 3, steps.append)
    assert steps == [BATCH, BATCH, 4]
    assert len(asked) < len(steps) + 8


def test_the_node_measures_once(folder, prior, monkeypatch):
    first = TIMEPrior.execute(tiny.clip(), "\n".join(PROMPTS))
    (file,) = folder.iterdir()
    assert f"kept as models/time_priors/{file.name}" in first.ui.as_dict()["text"][0]
    assert f"prior of {len(PROMPTS)} prompts: they use" in first.ui.as_dict()["text"][0]
    monkeypatch.setattr("time_diffedit.nodes.time.time_prior.make_prior", None)
    again = TIMEPrior.execute(tiny.clip(), "\n\n".join(PROMPTS))
    assert f"read from models/time_priors/{file.name}" in again.ui.as_dict()["text"][0]
    for made in (first.args[0], again.args[0]):
        assert torch.equal(made.basis, prior.basis) and torch.equal(made.values, prior.values)
        assert made.fingerprint.same_encoder(prior.fingerprint) and made.digest == prior.digest


def test_other_prompts_and_other_encoders_have_files_of_their_own(folder):
    TIMEPrior.execute(tiny.clip(), "\n".join(PROMPTS[:3]))
    TIMEPrior.execute(tiny.clip(), "\n".join(PROMPTS[:4]))
    TIMEPrior.execute(tiny.new_clip(5), "\n".join(PROMPTS[:3]))
    assert len(list(folder.iterdir())) == 3


def test_without_prompts_it_is_the_everyday_captions(monkeypatch):
    monkeypatch.setattr("time_diffedit.nodes.time.time_prior.captions", lambda: PROMPTS[:2])
    output = TIMEPrior.execute(tiny.clip(), " \n")
    assert output.args[0].prompts == 2 and "prior of the everyday captions" in output.ui.as_dict()["text"][0]


def test_a_folder_that_cannot_be_written_costs_only_the_file(folder):
    folder.write_text("a file where the folder should be")
    output = TIMEPrior.execute(tiny.clip(), PROMPTS[0])
    assert isinstance(output.args[0], Prior) and "could not be kept as models/time_priors/" in output.ui.as_dict()["text"][0]


def test_prompts_that_have_no_rows_are_refused():
    with pytest.raises(ValueError, match="weights words by parentheses"):
        TIMEPrior.execute(tiny.clip(), "a (red:1.3) car")


def test_a_file_that_is_not_whole_is_measured_anew(tmp_path, prior):
    path = tmp_path / "prior.safetensors"
    save_prior(path, prior)
    reading = prior.fingerprint
    assert torch.equal(load_prior(path, prior.digest, reading).basis, prior.basis)
    assert load_prior(path, "other prompts", reading) is None
    assert load_prior(path, prior.digest, TextReader(tiny.new_clip(5)).fingerprint) is None
    assert load_prior(tmp_path / "none", prior.digest, reading) is None
    whole = path.read_bytes()
    for damaged in (whole[:-4], whole[: len(whole) // 2], b"", whole[:-8] + b"\x00\x00\xc0\x7f" * 2, whole[:-1] + b"\x01"):
        path.write_bytes(damaged)
        assert load_prior(path, prior.digest, reading) is None
    save_file(tensors_of(prior), path)
    assert load_prior(path, prior.digest, reading) is None
    for other in (replace(prior, fingerprint=replace(reading, width=5)), replace(prior, values=-prior.values)):
        save_prior(path, other)  # under a checksum that fits
        assert load_prior(path, prior.digest, reading) is None


def tensors_of(prior: Prior) -> dict[str, torch.Tensor]:
    return {"basis": prior.basis, "values": prior.values}


def test_an_edit_with_a_prior_moves_everyday_prompts_less(prior):
    published, spared = edit(lamb=1.0).args[0], edit(lamb=1.0, prior=prior, rho=30.0).args[0]
    assert leak(spared, "a small cup in a garden") < 0.8 * leak(published, "a small cup in a garden")
    assert (spared.settings.rho, spared.settings.prior) == (30.0, str(prior))
    assert f"prior of {len(PROMPTS)} prompts, {prior.digest[:12]}, rho 30" in spared.summary()


def test_rho_0_is_as_published_to_the_last_bit(prior):
    published, same = edit().args[0], edit(prior=prior, rho=0.0).args[0]
    assert torch.equal(published.left, same.left) and torch.equal(published.right, same.right)
    assert edit(rho=5.0).args[0].settings.rho == 0


def test_a_prior_of_another_encoder_is_refused(prior):
    with pytest.raises(ValueError, match="prior was made with the text encoder.*connect this clip to TIME Prior"):
        edit(clip=tiny.new_clip(5), prior=prior)
    with pytest.raises(ValueError, match="rho is -1.0; it must be"):
        edit(prior=prior, rho=-1.0)


@pytest.mark.parametrize("with_prior", [False, True])
def test_what_is_kept_exactly_stays(prior, with_prior):
    settings = {"preserve": "a cat", "preserve_empty": True, "prior": prior if with_prior else None}
    softly = edit(**settings, lamb=100.0).args[0]
    exactly = edit(**settings, lamb=100.0, preserve_mode="exactly").args[0]
    assert leak(softly, "a cat") > 1e-4
    assert leak(exactly, "a cat") < 2e-6 and leak(exactly, "") < 2e-6 and leak(exactly, "a dog") > 1e-3
    assert exactly.diagnostics.kept_exactly == ("a cat", "") and exactly.diagnostics.preserve_leak < 2e-6
    assert len(exactly.diagnostics.preserve_price) == 2 and min(exactly.diagnostics.preserve_price) > 0
    summary = exactly.summary()
    assert "kept exactly: a cat (alone raises the fit residual by " in summary and "kept exactly: the empty prompt" in summary
    assert len(exactly.lambda_curve) > 3


def test_only_what_is_moved_is_kept(prior):
    kept = ("a red cat", "a dog house", "the blue sky above the ocean")
    made = edit(preserve="\n".join(kept), preserve_mode="exactly if moved").args[0]
    diagnostics = made.diagnostics
    assert set(diagnostics.kept_exactly) | set(diagnostics.left_free) == set(kept)
    assert diagnostics.kept_exactly and diagnostics.left_free
    assert f"left free, hardly moved: {diagnostics.left_free[0]}" in made.summary()


def test_settings_of_the_solve_go_through_a_file(tmp_path, prior):
    made = edit(preserve="a cat", preserve_mode="exactly", prior=prior).args[0]
    save_edit(tmp_path / "edit.safetensors", made)
    loaded = load_edit(tmp_path / "edit.safetensors", TextReader(tiny.clip()).fingerprint)
    assert loaded.report() == made.report() and loaded.settings.preserve_mode in PRESERVE_MODES
