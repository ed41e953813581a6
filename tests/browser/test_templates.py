"""The example workflows in the browser."""

import pytest
from comfy_page import ComfyPage

from tools.client import ComfyClient
from tools.examples import EXAMPLES
from tools.workflow import ui_workflow


def titles(comfy: ComfyPage) -> list[str]:
    return comfy.page.evaluate(
        "() => app.graph.nodes.filter((node) => !node.comfyClass && !node.isSubgraphNode?.()).map((n) => n.type)"
    )


def test_every_template_opens_from_the_template_browser(comfy: ComfyPage):
    """As shipped: every node known to the page."""
    for name in EXAMPLES:
        comfy.open_template(name)
        unknown = comfy.page.evaluate("() => app.graph.nodes.filter((node) => node.has_errors).map((node) => node.type)")
        assert not unknown, name
        comfy.picture(f"template_{name}")


@pytest.mark.parametrize("name", EXAMPLES)
def test_template_runs_on_the_toy_world(comfy: ComfyPage, server, name):
    api = EXAMPLES[name]().api()
    comfy.load(ui_workflow(api, ComfyClient(server.url).object_info()))
    sent = {node_id: (node["class_type"], node["inputs"]) for node_id, node in comfy.api().items()}
    for node_id, node in api.items():
        kind, inputs = sent[node_id]
        assert kind == node["class_type"]
        assert {key: inputs.get(key) for key in node["inputs"]} == node["inputs"], (name, kind)
    comfy.run(timeout=400)
    comfy.picture(f"ran_{name}")
