"""`subgraphs/`: blocks as the frontend's blueprint files, which the browser lists in its node library."""

import json

from ..comfyui.environment import ROOT
from .examples.blocks import BLOCKS, Block
from .subgraph import with_face
from .workflow import Graph

FOLDER = ROOT / "subgraphs"


def blueprint(block: Block, object_info: dict, graph: Graph) -> dict:
    """The block as the frontend's workflow file: one node, and its inside under definitions.subgraphs."""
    face, definition = with_face(block, object_info, graph)
    return {
        "revision": 0,
        "last_node_id": face["id"],
        "last_link_id": 0,
        "nodes": [face],
        "links": [],
        "version": 0.4,
        "definitions": {"subgraphs": [definition]},
        "extra": {"BlueprintDescription": block.description, "BlueprintSearchAliases": list(block.aliases)},
    }


def render(object_info: dict) -> dict[str, str]:
    """File name to text of every block, with the values of the templates as they are shipped."""
    return {
        f"{block.name}.json": json.dumps(blueprint(block, object_info, block.example.as_shipped()), indent=2) + "\n"
        for block in BLOCKS
    }
