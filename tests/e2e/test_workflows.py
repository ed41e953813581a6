"""The example workflows through the real server, on the toy checkpoint, judged from their pictures."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toyworld.judge import judge
from toyworld.world import Scene, draw

from tools.comfyui.client import WorkflowError, node_titled, saved
from tools.comfyui.environment import PACK_FOLDER
from tools.comfyui.hosts import MAIN, chosen_host, version_of
from tools.release.words import LANGUAGES, LOCALES, PAGES
from tools.workflows.examples import (
    EXAMPLES,
    STARTERS,
    balance_an_assumption,
    captioned_diffedit,
    change_an_assumption,
    combined_edits,
    diffedit,
    diffedit_advanced,
    edit_a_picture,
    edit_and_lora,
    edited_conditioning,
    save_and_reuse,
    scheduled_edit,
    several_edits,
    time_edit,
    time_edit_of_a_picture,
    word_gate,
)
from tools.workflows.templates import FOLDER, render
from tools.workflows.ui_to_api import api_workflow, with_defaults
from tools.workflows.workflow import NOTE, Graph


def quick(graph: Graph) -> Graph:
    """The same with ten steps of sampling, after which a thing and its colour are seen as well as after twenty."""
    for node in graph.nodes.values():
        if node["class_type"] == "KSampler":
            node["inputs"]["steps"] = min(node["inputs"]["steps"], 10)
    return graph


def run(client, graph, title):
    api = graph.api()
    return saved(client, api, client.run(api, title, quiet=True), title)


def get(client, path):
    return urllib.request.urlopen(client.url + path).read()


@pytest.mark.skipif(version_of(chosen_host()) != MAIN, reason="they are made for the nodes of the main host")
def test_templates_in_the_repository_are_what_the_code_makes(client):
    for name, text in render(client.object_info()).items():
        assert (FOLDER / name).read_text() == text, f"{name} is out of date; run `make templates`"


def test_every_node_of_the_pack_is_in_a_template(client):
    used = {node["class_type"] for example in EXAMPLES.values() for node in example.as_shipped().nodes.values()}
    ours = {name for name, node in client.object_info().items() if node["python_module"].endswith(PACK_FOLDER)}
    assert len(ours) >= 11
    assert not ours - used


def test_every_seed_says_whether_the_browser_draws_a_new_one(client):
    """The browser puts a second widget after a number called seed unless told not to, and values go by position."""
    for name, node in client.object_info().items():
        if node["python_module"].endswith(PACK_FOLDER):
            inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
            assert all("control_after_generate" in inputs[seed][1] for seed in {"seed", "noise_seed"} & set(inputs)), name


def test_the_browser_gets_the_words_of_every_language(client):
    served = json.loads(get(client, "/i18n"))
    for language in ("en", *LANGUAGES):
        for path in (LOCALES / language).glob("*.json"):
            ours = json.loads(path.read_text(encoding="utf-8"))
            there = served[language] if path.stem == "main" else served[language][path.stem]
            assert ours.items() <= there.items(), path


def test_the_browser_gets_a_help_page_for_every_node(client):
    """By the addresses that the frontend asks for: a page in the user's language, else the one without a language."""
    ours = [name for name, node in client.object_info().items() if node["python_module"].endswith(PACK_FOLDER)]
    assert len(ours) >= 19
    for name in ours:
        for page in (f"{name}.md", *(f"{name}/{language}.md" for language in ("en", *LANGUAGES))):
            assert get(client, f"/extensions/{PACK_FOLDER}/docs/{page}") == (PAGES / page).read_bytes()


def test_time_workflow_edits_the_assumption_and_leaves_the_model(client):
    graph = quick(time_edit(prompt="a rose on sand", batch=2))
    before, after = "Pictures before the edit", "Pictures after the edit"
    result = client.run(graph.api(), "TIME", quiet=True)
    assert [judge(p).colour for p in saved(client, graph.api(), result, before)] == ["red", "red"]
    assert [judge(p).colour for p in saved(client, graph.api(), result, after)] == ["blue", "blue"]


def test_same_seed_same_bytes_again_and_after_a_restart(client, restarted):
    title = "Pictures after the edit"
    first = run(client, time_edit(batch=1, steps=4), title)
    client.forget()
    again = run(client, time_edit(batch=1, steps=4), title)
    np.testing.assert_array_equal(first, again)
    edited = "Edited picture"
    first_edit = run(client, diffedit(), edited)
    np.testing.assert_array_equal(first, run(restarted, time_edit(batch=1, steps=4), title))
    np.testing.assert_array_equal(first_edit, run(restarted, diffedit(), edited))


def test_the_base_model_is_the_same_after_an_edited_one_was_used(client):
    def plain():
        graph = time_edit(batch=1, steps=4)
        title = "Pictures before the edit"
        keep = {node_titled(graph.api(), title)}
        for node_id in sorted(graph.nodes, key=int, reverse=True):
            if node_id in keep:
                keep |= {v[0] for v in graph.nodes[node_id]["inputs"].values() if isinstance(v, list)}
        graph.nodes = {i: node for i, node in graph.nodes.items() if i in keep}
        return run(client, graph, title)

    client.forget()
    before = plain()
    run(client, time_edit(batch=1, steps=4, seed=2), "Pictures after the edit")
    after = plain()
    client.forget()
    np.testing.assert_array_equal(before, plain())
    np.testing.assert_array_equal(before, after)


def test_diffedit_workflow_repaints_the_object_and_nothing_else(client):
    graph = diffedit()
    result = client.run(graph.api(), "DiffEdit", quiet=True)
    (edited,) = saved(client, graph.api(), result, "Edited picture")
    (mask,) = saved(client, graph.api(), result, "Mask")
    (pasted,) = saved(client, graph.api(), result, "Edited inside the mask, untouched outside")
    truth = draw(np.random.RandomState(3), Scene("rose", "red"))
    verdict = judge(edited)
    assert (verdict.noun, verdict.colour) == ("rose", "blue")
    chosen = mask[..., 0] > 0.5
    assert (chosen & (truth.mask > 0.5)).sum() / (chosen | (truth.mask > 0.5)).sum() >= 0.6
    original = (truth.pixels * 255).round() / 255
    np.testing.assert_allclose(pasted[~chosen], original[~chosen], atol=1e-6)


def test_the_starters_make_the_edit_that_they_say(client):
    """The picture that each saves, and the two that it compares."""
    wanted = {
        "Edited picture": (edit_a_picture(), ("rose", "red"), ("rose", "blue")),
        "Picture after the edit": (quick(change_an_assumption()), ("rose", "red"), ("rose", "blue")),
        "Picture in balance": (quick(balance_an_assumption()), ("rose", "red"), ("rose", "yellow")),
    }
    for title, (graph, *expected) in wanted.items():
        api = graph.api()
        result = client.run(api, title, quiet=True)
        compared = result.outputs[node_titled(api, "Before | after")]
        shown = [client.picture(compared[which][0]) for which in ("a_images", "b_images")]
        assert [(judge(picture).noun, judge(picture).colour) for picture in shown] == expected, title
        (kept,) = saved(client, api, result, title)
        np.testing.assert_array_equal(kept, shown[1])
        assert sum(node["class_type"] == "SaveImage" for node in api.values()) == 1


def test_a_time_edit_applied_to_a_given_picture(client):
    """The two methods joined: the edit finds its object in the picture, repaints it, and leaves everything else."""
    graph = time_edit_of_a_picture()
    result = client.run(graph.api(), "TIME edit of a picture", quiet=True)
    (edited,) = saved(client, graph.api(), result, "Edited picture")
    (mask,) = saved(client, graph.api(), result, "Mask")
    (pasted,) = saved(client, graph.api(), result, "Edited inside the mask, untouched outside")
    truth = draw(np.random.RandomState(3), Scene("rose", "red"))
    assert (judge(edited).noun, judge(edited).colour) == ("rose", "blue")
    chosen = mask[..., 0] > 0.5
    assert (chosen & (truth.mask > 0.5)).sum() / (truth.mask > 0.5).sum() >= 0.9
    np.testing.assert_allclose(pasted[~chosen], (truth.pixels[~chosen] * 255).round() / 255, atol=1e-6)


def test_diffedit_with_the_hosts_own_parts(client):
    graph = diffedit_advanced()
    result = client.run(graph.api(), "advanced", quiet=True)
    edited, hosts, inpainted = (
        saved(client, graph.api(), result, title)[0]
        for title in ("Edited picture", "The same by the host's node", "Inpainted from the inverted noise")
    )
    assert [(judge(p).noun, judge(p).colour) for p in (edited, hosts, inpainted)] == [("star", "blue")] * 3
    np.testing.assert_allclose(hosts, edited, atol=1.01 / 255)
    states = saved(client, graph.api(), result, "The way, from noise to picture")
    assert len(states) == 6 and (judge(states[-1]).noun, judge(states[-1]).colour) == ("rose", "red")
    (mask,) = saved(client, graph.api(), result, "Mask")
    assert 0.25 < mask.mean() < 0.4  # the wanted quarter, grown by one cell
    (report,) = result.outputs[node_titled(graph.api(), "Back to noise, exactly invertible")]["inversion"]
    assert report["method"] == "o-belm" and len(report["sigmas"]) == 28 and report["grade"] == "good"
    assert report["missed"][-1] < 1e-3


def test_captions_give_the_direction_of_an_edit(client):
    graph = captioned_diffedit()
    result = client.run(graph.api(), "captions", quiet=True)

    def said(title: str) -> list[str]:
        return result.outputs[node_titled(graph.api(), title)]["text"][0].splitlines()

    assert "red rose" in said("The caption")[0]
    for title, concept in (("what is there", "red rose"), ("what is wanted", "blue rose")):
        captions = said(f"The captions for {title}")
        assert len(captions) == 16 and len(set(captions)) > 4
        assert sum(concept in caption for caption in captions) >= 14
    (edited,) = saved(client, graph.api(), result, "Edited picture")
    (mask,) = saved(client, graph.api(), result, "Mask")
    truth = draw(np.random.RandomState(3), Scene("rose", "red")).mask > 0.5
    assert (judge(edited).noun, judge(edited).colour) == ("rose", "blue")
    chosen = mask[..., 0] > 0.5
    assert (chosen & truth).sum() / (chosen | truth).sum() >= 0.6


def test_several_edits_saved_loaded_and_as_a_lora(client):
    graph = quick(several_edits(prompt="a car on grass", batch=2))
    result = client.run(graph.api(), "several edits", quiet=True)
    after = np.stack(saved(client, graph.api(), result, "Pictures after"))
    assert [judge(p).colour for p in saved(client, graph.api(), result, "Pictures before")] == ["black", "black"]
    assert [judge(p).colour for p in after] == ["green", "green"]

    file = "output/toy edits.safetensors"
    assert file in client.object_info()["TIMELoadEdit"]["input"]["required"]["file"][1]["options"]
    nodes = graph.api()
    apply = next(i for i, node in nodes.items() if node["class_type"] == "TIMEApplyEdit")
    saving = {i for i, node in nodes.items() if node["class_type"] in ("TIMEComputeEdit", "TIMESaveEdit", "TIMESaveLoRA")}
    loader = next(i for i, node in nodes.items() if node["class_type"] == "CheckpointLoaderSimple")

    def sampled_with(class_type: str, **inputs) -> np.ndarray:
        changed = {i: node for i, node in nodes.items() if i not in saving | {apply}}
        changed[apply] = {"class_type": class_type, "inputs": {"model": [loader, 0], **inputs}}
        if class_type == "TIMEApplyEdit":
            changed["load"] = {"class_type": "TIMELoadEdit", "inputs": {"file": file, "clip": [loader, 1]}}
        return np.stack(saved(client, changed, client.run(changed, class_type, quiet=True), "Pictures after"))

    np.testing.assert_array_equal(sampled_with("TIMEApplyEdit", time_edit=["load", 0], strength=1.0), after)
    by_lora = sampled_with("LoraLoaderModelOnly", lora_name="toy edits.safetensors", strength_model=1.0)
    assert np.abs(by_lora - after).mean() < 0.005
    assert [judge(p).colour for p in by_lora] == ["green", "green"]


def test_edited_text_makes_the_pictures_of_edited_weights(client):
    graph = quick(edited_conditioning(batch=2))
    result = client.run(graph.api(), "conditioning", quiet=True)
    weights, text = (
        np.stack(saved(client, graph.api(), result, f"Pictures with edited {what}")) for what in ("weights", "text")
    )
    assert [judge(p).colour for p in weights] == ["blue", "blue"]
    np.testing.assert_allclose(text, weights, atol=1.01 / 255)


def test_two_edits_are_combined(client):
    for prompt, colour in (("a car on grass", "green"), ("a rose on sand", "blue")):
        graph = quick(combined_edits(batch=2, prompt=prompt))
        result = client.run(graph.api(), "combined", quiet=True)
        before, after = (saved(client, graph.api(), result, f"Pictures {when}") for when in ("before", "after"))
        assert [judge(p).colour for p in after] == [colour, colour]
        assert colour not in [judge(p).colour for p in before]


def test_only_prompts_with_the_words_are_edited(client):
    graph = quick(word_gate(batch=2))
    result = client.run(graph.api(), "word gate", quiet=True)
    unedited, related, unrelated, always = (
        np.stack(saved(client, graph.api(), result, f"Pictures {what}"))
        for what in ("without any edit", "with the words", "without the words", "without the gate")
    )
    assert [judge(p).colour for p in related] == ["blue", "blue"]
    np.testing.assert_array_equal(unrelated, unedited)
    assert np.abs(always - unedited).mean() > 0.001


def test_a_scheduled_edit_acts_while_it_is_scheduled(client):
    """For all steps it is the edit, for none it is the model; for half it is neither."""

    def pictures(until: float, title: str) -> np.ndarray:
        graph = quick(scheduled_edit(batch=2, until=until))
        return np.stack(saved(client, graph.api(), client.run(graph.api(), "scheduled", quiet=True), title))

    title = "Pictures with the scheduled edit"
    always, half, never = (pictures(until, title) for until in (1.0, 0.5, 0.0))
    assert [judge(p).colour for p in always] == ["blue", "blue"]
    assert np.abs(never - pictures(0.5, "Pictures without the edit")).max() <= 1.01 / 255
    assert min(np.abs(half - other).mean() for other in (always, never)) > 0.001


def test_lora_and_edit_go_on_in_any_order(client):
    made = quick(several_edits(prompt="a car on grass", batch=2))  # roses blue, cars green, stars purple
    client.run(made.api(), "make the LoRA", quiet=True)
    graph = quick(edit_and_lora(batch=2))
    titles = ["Pictures with the LoRA", "Pictures with the LoRA, then the edit", "Pictures with the edit, then the LoRA"]
    result = client.run(graph.api(), "LoRA and edit", quiet=True)
    seen = [[judge(picture).colour for picture in saved(client, graph.api(), result, title)] for title in titles]
    assert seen == [["yellow"] * 2, ["red"] * 2, ["red"] * 2]
    roses = quick(edit_and_lora(prompt="a rose on sand", batch=2))
    result = client.run(roses.api(), "LoRA's own", quiet=True)
    for title in titles:
        assert [judge(picture).colour for picture in saved(client, roses.api(), result, title)] == ["blue", "blue"], title


def test_an_edit_is_kept_and_loaded_again(client):
    graph = quick(save_and_reuse(batch=2))
    result = client.run(graph.api(), "save and reuse", quiet=True)
    after = saved(client, graph.api(), result, "Pictures after")
    assert [judge(p).colour for p in after] == ["blue"] * 2
    assert [judge(p).colour for p in saved(client, graph.api(), result, "Pictures before")] == ["red"] * 2
    (load,) = graph.muted
    graph.muted.clear()
    graph.nodes[node_titled(graph.api(), "Put the edit on it")]["inputs"]["time_edit"] = [load, 0]
    assert np.abs(np.stack(run(client, graph, "Pictures after")) - np.stack(after)).max() <= 1 / 255


def test_sdxl_template_is_the_same_graph(client):
    example = EXAMPLES["time_sdxl"]
    graph = quick(example.build(**example.toy, batch=2))
    assert [judge(p).colour for p in run(client, graph, "Pictures after the edit")] == ["green"] * 2


def test_exact_inversion_comes_back(client):
    graph = EXAMPLES["exact_inversion"].for_toy_world()
    result = client.run(graph.api(), "exact inversion", quiet=True)
    (best,) = saved(client, graph.api(), result, "The best that can come back")
    errors = [
        float(np.sqrt(np.mean((saved(client, graph.api(), result, f"Back by {method}")[0] - best) ** 2)))
        for method in ("ddim", "fixed point", "o-belm")
    ]
    assert errors[2] <= 1 / 255 and errors[2] < errors[1] < errors[0] < 0.1


@pytest.mark.parametrize("name", EXAMPLES)
def test_template_reads_well(name):
    """No node lies on another, each in its group; a note says what to do; the checkpoint can be fetched."""
    template = json.loads((FOLDER / f"{name}.json").read_text())
    blocks = template.get("definitions", {}).get("subgraphs", [])
    for level in (template, *blocks):
        boxes = [(*node["pos"], *node["size"]) for node in level["nodes"]]
        for i, (left, top, width, height) in enumerate(boxes):
            for other_left, other_top, other_width, other_height in boxes[:i]:
                apart = left >= other_left + other_width or other_left >= left + width
                assert apart or top >= other_top + other_height or other_top >= top + height
        frames = [group["bounding"] for group in level["groups"]]
        for node, (left, top, width, height) in zip(level["nodes"], boxes, strict=True):
            if node["type"] == NOTE:
                assert node["widgets_values"][0].startswith("## ")
            inside = [x <= left and y <= top and left + width <= x + w and top + height <= y + h for x, y, w, h in frames]
            assert sum(inside) == 1, node["title"]
            if node["type"] == "CheckpointLoaderSimple":
                (model,) = node["properties"]["models"]
                assert model["name"] == node["widgets_values"][0] and model["directory"] == "checkpoints"
                assert model["url"].startswith("https://huggingface.co/") and model["url"].endswith(model["name"])
    assert len(template["groups"]) >= 3
    # DiffEdit's starter says it in the titles of its groups, for want of a sixth node.
    assert sum(node["type"] == NOTE for node in template["nodes"]) == (name != STARTERS[0])


@pytest.mark.parametrize("name", [each for name, example in EXAMPLES.items() for each in example.names(name)])
def test_template_has_a_thumbnail(name):
    file = FOLDER / f"{name}.jpg"
    with Image.open(file) as picture:
        assert picture.format == "JPEG" and 300 <= picture.width == picture.height <= 520
        assert np.asarray(picture).std() > 10, "nothing on it"
    assert file.stat().st_size < 60_000


def test_a_bad_edit_is_refused_in_words_with_the_node_named(client):
    with pytest.raises(WorkflowError, match="Edit what the model assumes") as refusal:
        client.run(time_edit(destination="a blue car", batch=1, steps=1).api(), "bad", quiet=True)
    assert "rose" in str(refusal.value)


def test_ui_json_keeps_every_value_and_link(client):
    """Reading the UI JSON the way the browser does (widgets by position) gives the API JSON back."""
    info = client.object_info()
    for example in EXAMPLES.values():
        api = example.as_shipped().nodes
        ui = json.loads(json.dumps(example.ui(info)))
        if example.blocks:
            assert api_workflow(ui, info) == with_defaults(api, info)
            continue
        links = {link[0]: link for link in ui["links"]}
        for node in ui["nodes"]:
            if node["type"] == NOTE:
                continue
            expected = api[str(node["id"])]["inputs"]
            for socket in node["inputs"]:
                if socket["link"] is not None:
                    _, source, slot, *_ = links[socket["link"]]
                    assert expected[socket["name"]] == [str(source), slot]
            values = iter(node["widgets_values"])
            linked = {s["name"] for s in node["inputs"] if s["link"] is not None}
            for name, value, default in _read_by_position(info[node["type"]]["input"], values):
                if name not in linked:
                    assert value == expected.get(name, default), (node["type"], name)
            assert next(values, None) is None


def _read_by_position(schema: dict, values: Iterator, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(name, value, default) of a node's widgets; those of a choice's option follow the choice."""
    for kind in ("required", "optional"):
        for name, spec in schema.get(kind, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            if spec[0] == "COMFY_DYNAMICCOMBO_V3":
                value = next(values)
                yield prefix + name, value, options["options"][0]["key"]
                (option,) = (option for option in options["options"] if option["key"] == value)
                yield from _read_by_position(option["inputs"], values, f"{prefix}{name}.")
            elif isinstance(spec[0], list) or spec[0] in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"):
                yield prefix + name, next(values), options.get("default")
                if options.get("control_after_generate"):
                    assert next(values) == "fixed"
                if options.get("image_upload"):
                    assert next(values) == "image"
