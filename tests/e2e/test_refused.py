"""What the prompts and values alone can tell to be wrong is refused when the run is queued: by the node, in its words.

Nothing of the run is begun: everything in these graphs hangs on the node with the mistake.
"""

import json
import urllib.error

import pytest

from tools.comfyui.client import ComfyClient, WorkflowError
from tools.workflows.examples import EXAMPLE_PICTURE, TOY_CHECKPOINT

NAN, INF = float("nan"), float("inf")
LINES = {"source": "a rose\na car", "destination": "a blue rose"}
REPLACED = {"source": "a dog", "destination": "a cat"}
SPAN = {"inject_begin": 0.8, "inject_end": 0.2}
CHOICE = "COMFY_DYNAMICCOMBO_V3"
NODE = "under test"
LOADER = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": TOY_CHECKPOINT}}
# By type of socket, the node that feeds it.
SOURCES = {
    "MODEL": LOADER,
    "CLIP": LOADER,
    "VAE": LOADER,
    "CLIP_VISION": {"class_type": "CLIPVisionLoader", "inputs": {"clip_name": "toyworld_clip_vision.safetensors"}},
    "CONDITIONING": {"class_type": "CLIPTextEncode", "inputs": {"text": "a rose", "clip": ["CLIP", 1]}},
    "IMAGE": {"class_type": "LoadImage", "inputs": {"image": EXAMPLE_PICTURE}},
    "LATENT": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
    "GUIDER": {"class_type": "BasicGuider", "inputs": {"model": ["MODEL", 0], "conditioning": ["CONDITIONING", 0]}},
    "TIME_EDIT": {"class_type": "TIMEComputeEdit", "inputs": {"clip": ["CLIP", 1]}},
    "TRAJECTORY": {"class_type": "DDIMInvert", "inputs": {"model": ["MODEL", 0], "latent": ["LATENT", 0]}},
}
SLOTS = {"CLIP": 1, "VAE": 2, "TRAJECTORY": 1}
MISTAKES = [
    *(
        (node, wrong, told)
        for node in ("TIMEEditModel", "TIMEComputeEdit", "TIMEBalance")
        for wrong, told in (
            (LINES, "source has 2 lines and destination has 1; line i of one belongs to line i of the other"),
            ({"source": " \n"}, "source is empty; write one prompt a line."),
            ({"destination": ""}, "destination is empty; write one prompt a line."),
            ({"source": "a rose", "destination": "a rose"}, "source and destination are equal in line 1"),
            ({"destination": "A pack of blue roses | 0"}, "destination: line 1 ends in the weight '0'; behind the | write"),
            (REPLACED, "destination has no place for the word 'dog' of source; destination must hold"),
            ({**REPLACED, "destination": "a [big] cat"}, "destination without the words in [brackets] is not source; put"),
            ({"preserve": "a cat | none"}, "preserve: 'a cat | none' ends in the weight 'none'; behind the | write"),
            ({"layers": "left"}, "layers has 'left'; write all, down, middle, up, or numbers such as 0-5, 9."),
            ({"layers": "5-2"}, "layers has '5-2', which counts down; write the smaller number first."),
            ({"edit_keys": False, "edit_values": False}, "edit_keys and edit_values are both off, so nothing would be edited;"),
            ({"alignment": "no such"}, "alignment is 'no such'; choose one of inserted words, replaced words, whole prompt."),
            ({"rho": NAN}, "rho is nan; it must be a number from 0 to 1e+06."),
        )
    ),
    *(("TIMEEditModel", {"lamb": lamb}, f"lambda is {lamb}; it must be a number from") for lamb in (NAN, INF, 0.0, -1.0)),
    ("TIMEEditModel", {"strength": 11.0}, "strength is 11.0; it must be a number from -10 to 10."),
    ("TIMEBalance", {"prompt": "\n"}, "prompt is empty; write what the pictures shall show"),
    ("TIMEBalance", {"lowest": 5.0, "highest": 2.0}, "lowest is 5 and highest is 2; lambda is searched between them, so"),
    (
        "TIMEBalance",
        {"label": "a blue rose", "opposite": "a blue rose"},
        "label and opposite are both 'a blue rose'; write two texts",
    ),
    ("TIMEApplyEdit", {"strength": NAN}, "strength is nan; it must be a number from -10 to 10."),
    ("TIMESaveEdit", {"filename": "../roses"}, "filename is '../roses'; write a name such as"),
    ("TIMESaveLoRA", {"strength": 0.0}, "strength is 0; it must be a finite number other than 0, such as 1"),
    (
        "TIMELoadEdit",
        {"file": "models/gone.safetensors"},
        "file 'models/gone.safetensors' is not in the models or output folder;",
    ),
    ("DiffEditMask", {"noise_strength": NAN}, "noise_strength is nan; it must be a number from 0.02 to 1."),
    ("DiffEditMask", {"maps": 0}, "maps is 0; it must be a whole number from 1 to 256."),
    ("DiffEditMask", {"rule": "otsu", "rule.area_floor": NAN}, "area_floor is nan; it must be a number from 0 to 100."),
    ("DiffEditMask", {"rule": "area", "rule.area": 101.0}, "area is 101.0; it must be a number from 0.1 to 100."),
    ("DiffEditMask", {"rule": "no such"}, "rule is missing, or not an option; choose one of mean ratio, paper, level, otsu"),
    ("DiffEditMask", {"compare": "no such"}, "compare is missing, or not an option; choose one of two prompts, two"),
    ("DDIMInvert", {"strength": INF}, "strength is inf; it must be a number from 0.01 to 1."),
    ("DDIMInvert", {"cfg": NAN}, "cfg is nan; it must be a number from 0 to 100."),
    ("DDIMInvert", {"method": "no such"}, "method is missing, or not an option; choose one of ddim, predictor"),
    (
        "DDIMInvert",
        {"method": "fixed point", "method.refinements": 0},
        "refinements is 0; it must be a whole number from 1 to 50.",
    ),
    ("MaskedLatentSample", SPAN, "inject_begin is 0.8 and inject_end 0.2; they must be shares of the steps with"),
    ("MaskedLatentSample", {"cfg": NAN}, "cfg is nan; it must be a number from 0 to 100."),
    ("MaskedLatentSample", {"sampler_name": "no such"}, "sampler_name is 'no such'; choose one of as inverted, euler"),
    ("MaskedLatentSampleAdvanced", SPAN, "inject_begin is 0.8 and inject_end 0.2; they must be shares of the steps with"),
    ("MaskedLatentSampler", SPAN, "inject_begin is 0.8 and inject_end 0.2; they must be shares of the steps with"),
    ("AveragePromptEmbeddings", {"prompts": " \n"}, "prompts is empty; write at least one prompt, one a line."),
    ("CaptionConcept", {"concept": " "}, "concept is empty; name what the captions shall be about"),
    ("CaptionConcept", {"template": "Of what?"}, "template has no {concept}, where the concept is put; write it"),
]


@pytest.fixture(scope="module")
def info(client) -> dict:
    return client.object_info()


def filled(info: dict, kind: str) -> dict:
    """All inputs of a node that it needs: what can be typed at its default, the rest linked."""

    def value(kind_of, options: dict):
        if kind_of == CHOICE:
            return options["options"][0]["key"]
        listed = kind_of if isinstance(kind_of, list) else options.get("options", ())
        return options.get("default", [*listed, ""][0])

    inputs = {}
    for name, (kind_of, *rest) in info[kind]["input"]["required"].items():
        options = rest[0] if rest else {}
        is_socket = str(kind_of) in SOURCES
        inputs[name] = [kind_of, SLOTS.get(kind_of, 0)] if is_socket else value(kind_of, options)
        if kind_of == CHOICE:
            settings = options["options"][0]["inputs"].get("required", {})
            inputs |= {f"{name}.{setting}": value(*spec) for setting, spec in settings.items()}
    return inputs


def graph_with(info: dict, kind: str, wrong: dict) -> dict:
    """A graph that would run but for `wrong`, inputs of the node of this kind."""
    graph = {name: {**node, "inputs": filled(info, node["class_type"]) | node["inputs"]} for name, node in SOURCES.items()}
    graph[NODE] = {"class_type": kind, "inputs": filled(info, kind) | wrong}
    if info[kind]["output"]:
        graph["output"] = {"class_type": "PreviewAny", "inputs": {"source": [NODE, 0]}}
    return graph


@pytest.mark.parametrize(("kind", "wrong", "told"), MISTAKES)
def test_a_mistake_is_refused_before_anything_runs(client: ComfyClient, info, kind, wrong, told):
    before = client.get_json("/history")
    with pytest.raises(urllib.error.HTTPError) as refusal:
        client.post("/prompt", {"prompt": graph_with(info, kind, wrong)})
    answer = json.loads(refusal.value.read())
    assert refusal.value.code == 400 and list(answer["node_errors"]) == [NODE], answer
    said = [error["details"] for error in answer["node_errors"][NODE]["errors"]]
    assert [details for details in said if told not in details] == []
    assert client.get_json("/history") == before
    assert client.get_json("/queue") == {"queue_running": [], "queue_pending": []}


def test_what_is_linked_is_not_known_and_left_to_the_node(client: ComfyClient, info):
    graph = graph_with(info, "TIMEComputeEdit", {"destination": ["text", 0]})
    graph["text"] = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": ""}}
    with pytest.raises(WorkflowError, match="destination is empty; write one prompt a line"):
        client.run(graph, "linked", quiet=True)
