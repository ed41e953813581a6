"""The blocks of subgraphs/ as files and as the real server lists them. They run in tests/browser."""

import json
import urllib.request

import pytest

from tools.comfyui.environment import PACK_FOLDER
from tools.workflows.blueprints import FOLDER, render
from tools.workflows.examples.blocks import BLOCKS
from tools.workflows.inputs import inputs_of
from tools.workflows.subgraph import GIVES_ID, TAKES_ID

NAMES = [block.name for block in BLOCKS]


def get(address: str):
    return json.loads(urllib.request.urlopen(address).read())


def file_of(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


def inside_of(name: str) -> dict:
    (definition,) = file_of(name)["definitions"]["subgraphs"]
    return definition


def test_blocks_in_the_repository_are_what_the_code_makes(client):
    files = render(client.object_info())
    assert {path.name for path in FOLDER.iterdir()} == set(files)
    for name, text in files.items():
        assert (FOLDER / name).read_text() == text, f"{name} is out of date; run `make templates`"


def test_the_server_lists_them(server):
    ours = {
        entry["name"]: entry_id
        for entry_id, entry in get(f"{server.url}/global_subgraphs").items()
        if entry["info"]["node_pack"] == f"custom_nodes.{PACK_FOLDER}"
    }
    assert set(ours) == set(NAMES) >= {"DiffEdit", "TIME Edit"}
    for name, entry_id in ours.items():
        assert json.loads(get(f"{server.url}/global_subgraphs/{entry_id}")["data"]) == file_of(name)


def test_their_nodes_and_widgets_exist(client):
    info = client.object_info()
    for name in NAMES:
        inside = inside_of(name)
        for node in inside["nodes"]:
            assert node["type"] in info
        kinds = {
            str(node["id"]): {found.name: found.type for found in inputs_of(info[node["type"]], {})} for node in inside["nodes"]
        }
        (face,) = file_of(name)["nodes"]
        shown = [socket["type"] for socket in face["inputs"] if "widget" in socket]
        proxies = face["properties"]["proxyWidgets"]
        assert [kinds[i][widget] for i, widget in proxies] == shown


@pytest.mark.parametrize("name", NAMES)
def test_the_links_fit_together(name):
    """Each link leaves a socket and enters one of the same type, both know it, and none is left over."""
    inside = inside_of(name)
    nodes = {node["id"]: node for node in inside["nodes"]}
    links = {link["id"]: link for link in inside["links"]}
    assert len(links) == len(inside["links"]) and len(nodes) == len(inside["nodes"])
    for number, link in links.items():
        if link["origin_id"] == TAKES_ID:
            origin = inside["inputs"][link["origin_slot"]]
            assert number in origin["linkIds"]
        else:
            origin = nodes[link["origin_id"]]["outputs"][link["origin_slot"]]
            assert number in origin["links"]
        if link["target_id"] == GIVES_ID:
            target = inside["outputs"][link["target_slot"]]
            assert target["linkIds"] == [number]
        else:
            target = nodes[link["target_id"]]["inputs"][link["target_slot"]]
            assert target["link"] == number
        assert origin["type"] == target["type"] == link["type"]
    known = [number for slot in inside["inputs"] + inside["outputs"] for number in slot["linkIds"]]
    known += [number for node in nodes.values() for output in node["outputs"] for number in output["links"] or ()]
    known += [socket["link"] for node in nodes.values() for socket in node["inputs"] if socket["link"] is not None]
    assert sorted(known) == sorted([*links, *links])
    assert all(slot["linkIds"] for slot in inside["inputs"])


@pytest.mark.parametrize("name", NAMES)
def test_the_face_is_that_of_the_inside(name):
    block, inside = file_of(name), inside_of(name)
    (face,) = block["nodes"]
    assert face["type"] == inside["id"] and face["title"] == inside["name"] == name
    for way in ("inputs", "outputs"):
        assert [(s["name"], s["type"]) for s in face[way]] == [(s["name"], s["type"]) for s in inside[way]]
    ids = [face["type"], *(slot["id"] for slot in inside["inputs"] + inside["outputs"])]
    assert len(set(ids)) == len(ids)
    assert inside["category"] and len(inside["description"]) > 60
