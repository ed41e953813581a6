"""Heatmap to Mask: the same masks as DiffEdit Mask, without the model."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from host.models.tiny_diffusion import picture, prompt, tiny_model, watched
from PIL import Image
from safetensors import safe_open
from time_diffedit.diffedit_core.mask.heatmap import Heatmap
from time_diffedit.diffedit_core.mask.mask_rule import RULES, Area, Level, MaskRule, MeanRatio, Otsu, Paper
from time_diffedit.nodes.diffedit.diffedit_mask import DiffEditMask
from time_diffedit.nodes.diffedit.heatmap_to_mask import HeatmapToMask
from time_diffedit.nodes.shared import mask_rule_inputs

CHOICES = [{"rule": {"rule": rule}} for rule in RULES] + [
    {"rule": {"rule": "mean ratio", "threshold_ratio": 1.5, "threshold": 0.4}},
    {"rule": {"rule": "paper", "outliers": 10.0, "threshold": 0.3}},
    {"rule": {"rule": "area", "area": 35.0}, "smooth": 0.8, "grow": 1, "fill_holes": True},
    {"rule": {"rule": "otsu", "area_floor": 30.0}, "grow": -1},
    {"rule": {"rule": "level", "level": 0.2}},
    {"rule": {"rule": "level", "level": 0.2}, "strokes": "paint 1 900 1000,1000 9000,2000; remove 2 5000,5000; add 2 100,9900"},
]
MEAN_RATIO, TWO_PROMPTS = {"rule": "mean ratio"}, {"compare": "two prompts"}


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def from_model(model, **choices):
    settings = {"seed": 7, "maps": 2, "noise_strength": 0.5, "rule": MEAN_RATIO, "compare": TWO_PROMPTS, **choices}
    return DiffEditMask.execute(model, picture(2), prompt(0), source=prompt(1), **settings)


def from_heatmap(heatmap, **choices):
    return HeatmapToMask.execute(heatmap, **{"rule": MEAN_RATIO, **choices})


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


def test_strokes_on_a_picture_that_is_not_there_are_refused_before_the_model_runs(model):
    seen, calls = watched(model)
    for choices in ({"strokes": "paint 3 900 1000,1000"}, {"strokes": "paint"}):
        with pytest.raises(ValueError, match="strokes"):
            from_model(seen, **choices)
    assert not calls.rows
    assert "strokes" in HeatmapToMask.validate_inputs(rule=MEAN_RATIO, strokes="paint")


def test_judges_every_pair(model):
    first, second = (Heatmap(torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(i))) for i in (1, 2))
    both = from_heatmap(second.and_of(first), rule={"rule": "area", "area": 10.0})
    alone = [from_heatmap(h, rule={"rule": "area", "area": 10.0}).result[0] for h in (first, second)]
    assert torch.equal(both.result[0], torch.maximum(*alone))
    assert len(both.ui["images"]) == 2 + 1


def test_makes_a_mask_for_each_frame_of_a_video():
    heatmap = Heatmap(torch.rand(1, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0)), cell=16, cell_frames=4)
    mask, coverage = from_heatmap(heatmap).result
    assert mask.shape == (2 * 9, 64, 80)
    assert torch.equal(mask[1], mask[4]) and 0 < coverage < 1


def test_the_inputs_of_both_nodes_agree_and_name_the_defaults_of_the_rules():
    mask, again = ({i.id: i for i in node.define_schema().inputs} for node in (DiffEditMask, HeatmapToMask))
    shape = {name: i.default for name, i in again.items() if name not in ("heatmap", "picture", "rule", "outline")}
    assert mask_rule_inputs.rule_from(MEAN_RATIO, **shape) == mask_rule_inputs.rule_from(MEAN_RATIO) == MaskRule()
    for name in ("rule", "outline", *shape):
        assert mask[name].as_dict() == again[name].as_dict()
    assert [option.key for option in again["rule"].options] == list(RULES)
    for option in again["rule"].options:
        settings = {i.id: i.default for i in option.inputs}
        rule = mask_rule_inputs.rule_from({"rule": option.key, **settings}, **shape).rule
        assert rule == RULES[option.key]() and set(settings) == set(asdict(rule))


@pytest.mark.parametrize(
    ("rule", "core"),
    [
        ({"rule": "mean ratio", "threshold_ratio": 1.5, "threshold": 0.4}, MeanRatio(1.5, 0.4)),
        ({"rule": "paper", "outliers": 10.0, "threshold": 0.3}, Paper(10.0, 0.3)),
        ({"rule": "level", "level": 0.2}, Level(0.2)),
        ({"rule": "otsu", "area_floor": 30.0}, Otsu(30.0)),
        ({"rule": "area", "area": 35.0}, Area(35.0)),
    ],
)
def test_every_option_reaches_the_core_with_its_settings(rule, core):
    assert mask_rule_inputs.rule_from(rule, grow=2) == MaskRule(core, grow=2)


def test_an_outline_along_edges_reaches_the_mask_and_the_file(temp_directory):
    heatmap = Heatmap(torch.rand(1, 1, 6, 5, generator=torch.Generator().manual_seed(3)))
    shown = torch.rand(1, 48, 40, 3, generator=torch.Generator().manual_seed(4))
    found = from_heatmap(heatmap, outline={"outline": "edges of picture", "reach": 2}, picture=shown)
    rule = MaskRule(reach=2)
    expected = rule.masked(rule.prepared(heatmap, shown))[1]
    assert torch.equal(found.result[0], expected) and found.result[1] == expected.mean()
    assert not torch.equal(found.result[0], from_heatmap(heatmap, picture=shown).result[0])
    with safe_open(temp_directory / found.ui["heatmap"][0]["filename"], framework="pt") as file:
        assert json.loads(file.metadata()["settings"]).items() >= {"outline": "edges of picture", "outline.reach": 2}.items()
        assert file.metadata()["detail"] == "8" and file.get_tensor("values").shape == (1, 1, 48, 40)


def test_edges_without_a_picture_are_refused():
    with pytest.raises(ValueError, match="picture is not connected; connect it, or set outline to cells"):
        from_heatmap(Heatmap(torch.rand(1, 1, 4, 4)), outline={"outline": "edges of picture"})


def test_edges_without_a_picture_are_refused_before_the_model_is_asked(model):
    seen, calls = watched(model)
    with pytest.raises(ValueError, match="picture is not connected"):
        from_model(seen, outline={"outline": "edges of picture"})
    assert not calls.rows


def test_a_setting_that_is_left_out_has_its_default():
    assert mask_rule_inputs.rule_from(MEAN_RATIO, {"outline": "edges of picture"}).reach == mask_rule_inputs.REACH
    assert mask_rule_inputs.rule_from({"rule": "paper", "outliers": 10.0, "threshold": None}).rule == Paper(10.0, 0.5)


@pytest.mark.parametrize(
    ("rule", "said"), [({"rule": "guess"}, "rule is 'guess'"), (None, "rule is missing, or not an option")]
)
def test_a_rule_that_is_none_is_refused(rule, said):
    with pytest.raises(ValueError, match=f"{said}; choose one of mean ratio, paper, level, otsu, area"):
        from_heatmap(Heatmap(torch.ones(1, 1, 4, 4)), rule=rule)
