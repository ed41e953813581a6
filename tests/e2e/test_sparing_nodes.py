"""TIME Prior, TIME Combine Edits and TIME Text Encode on a running server, as a workflow asks for them."""

PAIRS = {"1": ("a rose", "a blue rose"), "2": ("a banana", "a red banana")}


def prompt(texts: tuple[str, ...]) -> dict:
    compute = {"lamb": 1.0, "edit_keys": True, "edit_values": True, "augmentations": "", "clip": ["checkpoint", 1]}
    edits = {
        f"edit {number}": {
            "class_type": "TIMEComputeEdit",
            "inputs": {
                **compute,
                "source": source,
                "destination": destination,
                "preserve": "a tree",
                "preserve_mode": "exactly",
            },
        }
        for number, (source, destination) in PAIRS.items()
    }
    return {
        "checkpoint": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "toyworld.safetensors"}},
        **edits,
        "prior": {"class_type": "TIMEPrior", "inputs": {"clip": ["checkpoint", 1], "prompts": "a house\na car\ntwo trees"}},
        "joint": {
            "class_type": "TIMECombineEdits",
            "inputs": {
                "clip": ["checkpoint", 1],
                "prior": ["prior", 0],
                **{f"time_edits.time_edit_{number}": [f"edit {number}", 0] for number in PAIRS},
            },
        },
        **{f"encode {text}": _encode(text) for text in texts},
        **{f"shown {text}": {"class_type": "PreviewAny", "inputs": {"source": [f"encode {text}", 0]}} for text in texts},
    }


def _encode(text: str) -> dict:
    inputs = {"text": text, "wake": "all source words", "synonyms": "flower"}
    linked = {"clip": ["checkpoint", 1], "time_edit": ["joint", 0], "prior": ["prior", 0]}
    return {"class_type": "TIMETextEncode", "inputs": linked | inputs}


def test_the_nodes_work_together(client):
    outputs = client.run(prompt(("two bananas", "a house")), "sparing", quiet=True).outputs
    assert outputs["encode two bananas"]["text"] == ["awake by: bananas (1 of 2 pairs)"]
    assert outputs["encode a house"]["text"] == ["asleep: as CLIP Text Encode"]
    summary = outputs["joint"]["text"][0]
    assert summary.startswith("2 edits, 2 pairs, solved jointly\na rose -> a blue rose (adds: blue)\na banana -> a red banana")
    assert "prior of 3 prompts" in summary and "kept exactly: a tree" in summary
    assert "prior of 3 prompts: they use" in outputs["prior"]["text"][0]
