"""The help pages that the browser shows for each node."""

import re

import pytest

from tools.release.words import PAGES, inputs_of, node_definitions, outputs_of, shown_name

NODES = node_definitions()


@pytest.mark.parametrize("node_id", NODES)
def test_a_help_page_tells_of_every_input_and_output(node_id):
    page = (PAGES / node_id / "en.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {NODES[node_id]['display_name']}\n")
    for name, (_, options) in inputs_of(NODES[node_id]).items():
        shown = shown_name(name, options)
        assert re.search(rf"^\|[^|]*\b{re.escape(shown)}\b[^|]*\|", page, re.MULTILINE), f"no row for input {shown}"
    for name, _, _ in outputs_of(NODES[node_id]):
        assert re.search(rf"^- \*\*[^:]*{re.escape(name)}\b[^:]*\*\*", page, re.MULTILINE), f"no line for output {name}"
    assert re.search(r"^## .*workflow", page, re.MULTILINE), "no workflow"
    assert re.search(r"\]\(https://", page), "no paper or source"


@pytest.mark.parametrize("node_id", NODES)
def test_pictures_of_a_help_page_are_there_and_small(node_id):
    for page in [PAGES / f"{node_id}.md", *(PAGES / node_id).glob("*.md")]:
        for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            # The frontend resolves pictures against docs/, wherever the page lies.
            path = PAGES / picture
            assert path.is_relative_to(PAGES / "images") and path.stat().st_size < 60_000, f"{page}: {picture}"
