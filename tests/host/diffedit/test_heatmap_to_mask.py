"""Heatmap to Mask: the same masks as DiffEdit Mask, without the model."""

import folder_paths
import numpy as np
import pytest
import torch
from host.models.tiny_diffusion import picture, prompt, tiny_model, watched
from PIL import Image
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.diffedit_core.mask.mask_rule import RULES, MaskRule
from time_diffedit.nodes.diffedit.diffedit_mask import DiffEditMask
from time_diffedit.nodes.diffedit.heatmap_to_mask import HeatmapToMask
from time_diffedit.nodes.shared import mask_rule_inputs

CHOICES = [{"rule": rule} for rule in RULES] + [
    {"threshold_ratio": 1.5, "threshold": 0.4},
    {"rule": "paper", "outliers": 10.0, "threshold": 0.3},
    {"rule": "area", "area": 35.0, "smooth": 0.8, "grow": 1, "fill_holes": True},
    {"rule": "otsu", "area_floor": 30.0, "grow": -1},
    {"rule": "level", "level": 0.2},
]


@pytest.fixture(autouse=True)
def temp_directory(tmp_path):
    before = folder_paths.get_temp_directory()
    folder_paths.set_temp_directory(str(tmp_path))
    yield tmp_path
    folder_paths.set_temp_directory(before)


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def from_model(model, **choices):
    settings = {"seed": 7, "maps": 2, "noise_strength": 0.5, "threshold_ratio": 3.0, "threshold": 0.5, "cfg": 7.5, **choices}
    return DiffEditMask.execute(model, picture(2), prompt(0), source=prompt(1), **settings)


def from_heatmap(heatmap, **choices):
    return HeatmapToMask.execute(heatmap, **{"threshold_ratio": 3.0, "threshold": 0.5, **choices})


def pixels(output, folder) -> list:
    """The previews' own pixels; their names are random."""
    files = [folder / item["subfolder"] / item["filename"] for item in output.ui["images"]]
    return [np.asarray(Image.open(file)).tobytes() for file in files]


@pytest.mark.parametrize("choices", CHOICES, ids=lambda c: " ".join(map(str, c.values())))
def test_equals_the_mask_of_the_model(model, temp_directory, choices):
    seen, calls = watched(model)
    direct = from_model(seen, **choices)
    mask, heatmap, coverage = direct.result
    calls.rows = []
    again = from_heatmap(heatmap, **choices)
    assert torch.equal(again.result[0], mask) and again.result[1] == coverage
    assert pixels(again, temp_directory) == pixels(direct, temp_directory)
    assert not calls.rows


def test_every_choice_reaches_the_mask(model):
    heatmap = from_model(model).result[1]
    masks = {from_heatmap(heatmap, **choices).result[0].numpy().tobytes() for choices in CHOICES}
    assert len(masks) >= len(CHOICES) - 1


def test_judges_every_pair(model):
    first, second = (Heatmap(torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(i))) for i in (1, 2))
    both = from_heatmap(second.and_of(first), rule="area", area=10.0)
    alone = [from_heatmap(h, rule="area", area=10.0).result[0] for h in (first, second)]
    assert torch.equal(both.result[0], torch.maximum(*alone))
    assert len(both.ui["images"]) == 2 + 1


def test_makes_a_mask_for_each_frame_of_a_video():
    heatmap = Heatmap(torch.rand(1, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0)), cell=16, cell_frames=4)
    mask, coverage = from_heatmap(heatmap).result
    assert mask.shape == (2 * 9, 64, 80)
    assert torch.equal(mask[1], mask[4]) and 0 < coverage < 1


def test_the_inputs_of_both_nodes_agree_and_name_the_defaults_of_the_rule():
    mask, again = ({i.id: i for i in node.define_schema().inputs} for node in (DiffEditMask, HeatmapToMask))
    defaults = mask_rule_inputs.rule_from(3.0, 0.5)
    assert defaults == MaskRule()
    shown = {name: i.default for name, i in again.items() if name not in ("heatmap", "picture")}
    assert mask_rule_inputs.rule_from(**shown) == defaults
    for name, value in shown.items():
        assert mask[name].as_dict() == again[name].as_dict() and mask[name].default == value


def test_inputs_that_saved_workflows_know_keep_their_places():
    known = ["model", "latent", "target", "seed", "maps", "noise_strength", "threshold_ratio", "threshold", "cfg"]
    known += ["source", "target_negative", "source_negative", "clip"]
    inputs = DiffEditMask.define_schema().inputs
    assert [i.id for i in inputs][: len(known)] == known
    assert all(i.optional for i in inputs[len(known) :])


def test_a_rule_that_is_none_is_refused(model):
    with pytest.raises(ValueError, match="rule is 'guess'"):
        from_heatmap(Heatmap(torch.ones(1, 1, 4, 4)), rule="guess")
