"""Every template by the API, short, on the real server: that a host has all that they use, and runs it."""

import pytest
from short_runs import shortened

from tools.comfyui.client import ComfyClient
from tools.workflows.examples import EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_template_runs(client: ComfyClient, name):
    for each in filter(None, (EXAMPLES[name].needs, name)):
        api = shortened(EXAMPLES[each].for_toy_world().api())
        outputs = client.run(api, each, quiet=True).outputs
    shown = {node for node, output in outputs.items() if output.get("images")}
    assert {node for node, described in api.items() if described["class_type"] == "SaveImage"} <= shown
    assert shown
