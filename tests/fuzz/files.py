"""The kinds of files that the pack reads or writes, and what travels like one: questions, workflows, typed lines."""

import asyncio
import functools
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import comfy.lora
import execution
from comfy_extras.nodes_preview_any import PreviewAny
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from time_diffedit.diffedit_core.prompts import captions_folder
from time_diffedit.diffedit_core.prompts.prompt_average import prompt_lines
from time_diffedit.nodes import NODES
from time_diffedit.nodes.shared.checks import is_finite
from time_diffedit.routes import alignment, tokenizers
from time_diffedit.time_core.application.apply import apply_edit
from time_diffedit.time_core.application.edit_file import checksum, load_edit, save_edit
from time_diffedit.time_core.application.lora import export_lora
from time_diffedit.time_core.application.prior_file import load_prior, save_prior
from time_diffedit.time_core.application.word_gate import RULES, WordGate, parse_synonyms
from time_diffedit.time_core.equations.equations import build_edit
from time_diffedit.time_core.prompts.parsing import parse_lines, parse_pairs, parse_preserve
from time_diffedit.time_core.prompts.text import TextReader

import nodes
from tools.comfyui.environment import TOY_CHECKPOINT
from tools.comfyui.hosts import MODELS

from . import inputs, objects, outputs, wrong
from .bar import Tally
from .damage import changed_json, damaged, resealed

TINY, ROUNDING = 1e-3, 1e-2
KINDS = {"BLIP": captions_folder.BLIP, "Flan-T5": captions_folder.T5}


def families() -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any, Tally], None]]]:
    """By name: what examples are drawn from, and what each has to hold."""
    return {
        "edit files": (edit_files(), hold_edit_file),
        "prior files": (prior_files(), hold_prior_file),
        "LoRA files": (loras(), hold_lora),
        "captioning folders": (configs(), hold_config),
        "checkpoint headers": (headers(), hold_header),
        "questions": (questions(), hold_question),
        "typed lines": (lines(), hold_lines),
        "workflows": (workflows(), hold_workflow),
    }


@functools.cache
def folder() -> Path:
    """For the files of one process; made anew for each."""
    path = Path(tempfile.mkdtemp(prefix="time-diffedit-fuzz-"))
    (path / "captioning" / "model").mkdir(parents=True)
    return path


def written(data: bytes, name: str = "some.safetensors") -> Path:
    path = folder() / name
    path.write_bytes(data)
    return path


@functools.cache
def reader() -> TextReader:
    return TextReader(objects.clip())


def edit_files() -> st.SearchStrategy[bytes]:
    path = folder() / "whole.safetensors"
    save_edit(path, objects.several())
    whole = path.read_bytes()
    return st.one_of(damaged(whole), resealed(whole, "edit", checksum))


def hold_edit_file(data: bytes, tally: Tally) -> None:
    """What loads can be shown, saved and put on a model, and gives finite weights or says why not."""
    try:
        edit = load_edit(written(data), reader().fingerprint)
    except ValueError as error:
        assert "file" in str(error), error
        tally.ends["refused, named"] += 1
        return
    outputs.check("TIME_EDIT", edit)
    outputs.check_shown({"text": [edit.summary()], "time_edit": [edit.report()]})
    save_edit(folder() / "again.safetensors", edit)
    try:
        outputs.check("MODEL", apply_edit(objects.model(), edit))
        end = "result"
    except ValueError as error:
        assert "time_edit" in str(error) or "layers" in str(error), error
        end = "refused"
    tally.ends[end] += 1


@functools.cache
def prior() -> Any:
    return objects.prior(objects.clip())


def prior_files() -> st.SearchStrategy[bytes]:
    path = folder() / "prior.safetensors"
    save_prior(path, prior())
    whole = path.read_bytes()
    return st.one_of(damaged(whole), resealed(whole, "prior", checksum))


def hold_prior_file(data: bytes, tally: Tally) -> None:
    """What loads is a prior with which an edit can be computed."""
    found = load_prior(written(data), prior().digest, reader().fingerprint)
    tally.ends["refused, named" if found is None else "result"] += 1
    if found is None:
        return
    outputs.check("TIME_PRIOR", found)
    request = replace(objects.request(objects.ROSES, rho=1.0, prior=str(found)), prior=found)
    outputs.check("TIME_EDIT", build_edit(reader(), request))


def loras() -> st.SearchStrategy[tuple[str, float, float]]:
    pool = objects.pools()["TIME_EDIT"]
    edits = sorted(name for name, edit in (pool.fitting | pool.others).items() if edit is not None)
    return st.tuples(st.sampled_from(edits), st.floats(-10, 10), st.floats(0, 0.9))


def hold_lora(drawn: tuple[str, float, float], tally: Tally) -> None:
    """What is written is finite, and the host's loader knows every tensor of it."""
    name, strength, tolerance = drawn
    pool = objects.pools()["TIME_EDIT"]
    try:
        lora = export_lora(objects.model(), (pool.fitting | pool.others)[name], strength, tolerance)
    except ValueError as error:
        assert any(word in str(error) for word in ("strength", "time_edit", "layers", "model")), error
        tally.ends["refused, named"] += 1
        return
    path = folder() / "lora.safetensors"
    save_file(lora.tensors, path)
    tensors = load_file(path)
    assert tensors and all(map(outputs.finite, tensors.values())) and is_finite(lora.errors)
    if abs(strength) > TINY:  # float16 has no digits for less
        assert max(lora.errors) <= tolerance + ROUNDING, (lora.errors, tolerance)
    keys = comfy.lora.model_lora_keys_unet(objects.model().model, {})
    loaded = comfy.lora.load_lora(tensors, keys, log_missing=False)
    assert len(loaded) == len(lora.errors)
    tally.ends["result"] += 1


def configs() -> st.SearchStrategy[bytes]:
    config = {"model_type": "blip", "architectures": ["BlipForConditionalGeneration"], "text_config": {"a": [1]}}
    whole = json.dumps(config).encode()
    deep = st.sampled_from([b"[" * 100000, b'{"a":' * 50000, b"\xff\xfe", b"null", b"NaN", b"1" * 5000])
    return st.one_of(damaged(whole), changed_json(config).map(lambda value: json.dumps(value).encode()), deep)


def hold_config(data: bytes, tally: Tally) -> None:
    """A listing never fails, and what it does not list is refused by name."""
    written(data, "captioning/model/config.json")
    roots = [str(folder() / "captioning")]
    for kind in KINDS.values():
        listed = captions_folder.listed(roots, kind)
        assert listed in ([], ["model"])
        try:
            captions_folder.find(roots, kind, "model", "models/captioning")
        except ValueError as error:
            assert str(error).startswith("model"), error
            tally.ends["refused, named"] += 1


def headers() -> st.SearchStrategy[bytes]:
    """Of a checkpoint that is known, the toy world's, with some of its tensors said to be something else."""
    with (MODELS / "checkpoints" / TOY_CHECKPOINT).open("rb") as file:
        whole = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    whole["__metadata__"] = {"format": "pt"}

    def file_with(header: Any) -> bytes:
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + b"\0" * 16

    some = {name: whole[name] for name in list(whole)[:: len(whole) // 60]}
    changed = changed_json(some).map(lambda part: whole | part if isinstance(part, dict) else part)
    return st.one_of(damaged(file_with(whole)), changed.map(file_with), st.sampled_from([b"\xff" * 8, b""]))


def hold_header(data: bytes, tally: Tally) -> None:
    """Whatever a checkpoint's header says, its text encoder is one of ours or not known."""
    tokenizers._kind_of_file.cache_clear()
    kind = tokenizers._kind_of_file(str(written(data)), 0, len(data))
    assert kind is None or isinstance(kind, tokenizers.Kind)
    tally.ends["result" if kind else "refused, named"] += 1


def questions() -> st.SearchStrategy[bytes]:
    question = {
        "source": "A pack of roses\na dog",
        "destination": "A pack of [blue] roses | 2\na red dog",
        "alignment": "inserted words",
        "tokens": "all",
        "encoder": {"kind": "stable_diffusion", "files": 1},
    }
    texts = st.one_of(st.sampled_from(wrong.TEXTS), st.text(max_size=60))
    asked = st.builds(lambda source, destination: question | {"source": source, "destination": destination}, texts, texts)
    as_bytes = st.one_of(asked, changed_json(question)).map(lambda value: json.dumps(value).encode())
    return st.one_of(damaged(json.dumps(question).encode()), as_bytes, as_bytes)


def hold_question(data: bytes, tally: Tally) -> None:
    """An answer that JSON can hold, or a status that says whose fault it is."""
    try:
        answer = alignment.answer(alignment.parse_question(data))
    except alignment.Refused as refused:
        assert 400 <= refused.status < 500 and str(refused), refused
        tally.ends["refused, named"] += 1
        return
    json.dumps(answer, allow_nan=False).encode()
    tally.ends["result"] += 1


def lines() -> st.SearchStrategy[tuple[str, str]]:
    alphabet = st.sampled_from(list("ab |[]\\,()\n\r\t0129.-") + ["\u2028", "\x85", "é", "🌹", "| 2", "| nan", "[a] ", "\\|"])
    texts = st.lists(alphabet, max_size=30).map("".join)
    return st.tuples(texts, st.one_of(texts, st.text(max_size=30)))


def hold_lines(typed: tuple[str, str], tally: Tally) -> None:
    """Pairs, prompts that are kept, synonyms, captions, one a line: read, or refused by the input's name."""
    source, destination = typed
    tasks: dict[str, Callable[[], Any]] = {
        "source destination": lambda: parse_pairs(source, destination),
        "preserve": lambda: parse_preserve(destination),
        "prompts": lambda: prompt_lines(destination),
        "augmentations": lambda: parse_lines(destination),
        "synonyms": lambda: WordGate(RULES[0], parse_synonyms(destination)).woken_by(source, [destination]),
    }
    for names, task in tasks.items():
        try:
            found = task()
            assert isinstance(found, tuple | list)
            tally.ends["result"] += 1
        except ValueError as error:
            assert any(name in str(error) for name in names.split()), error
            tally.ends["refused, named"] += 1


class Anything:
    """Gives what any input takes, as far as the host knows."""

    RETURN_TYPES = ("*",)
    FUNCTION = "give"
    CATEGORY = ""

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {}


LINK = ["2", 0]
SINK = {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}


def workflows() -> st.SearchStrategy[dict]:
    """A node between one that gives anything and one that shows anything."""

    def workflow(example: inputs.Example) -> dict:
        given: dict[str, Any] = {}
        for name, drawn in example.inputs.items():
            if isinstance(drawn, dict):
                given |= {name if inner == name else f"{name}.{inner}": _sent(value) for inner, value in drawn.items()}
            else:
                given[name] = _sent(drawn)
        schema = example.node.GET_SCHEMA()
        sink = {"3": SINK} if schema.outputs else {}
        return {"1": {"class_type": schema.node_id, "inputs": given}, "2": {"class_type": "Anything", "inputs": {}}, **sink}

    return st.sampled_from(NODES).flatmap(inputs.examples).map(workflow)


def _sent(drawn: inputs.Drawn) -> Any:
    """What JSON can carry as itself, all else as a link."""
    try:
        return json.loads(json.dumps(drawn.value))
    except (TypeError, ValueError):
        return LINK


@functools.cache
def known_to_the_host() -> None:
    ours = {node.GET_SCHEMA().node_id: node for node in NODES}
    nodes.NODE_CLASS_MAPPINGS |= ours | {"Anything": Anything, "PreviewAny": PreviewAny}


def hold_workflow(workflow: dict, tally: Tally) -> None:
    """The host can say of any workflow whether it is valid, and what is wrong with it."""
    known_to_the_host()
    valid, error, _, node_errors = asyncio.run(execution.validate_prompt("fuzz", workflow, None))
    json.dumps([error, node_errors], default=repr)
    for about in node_errors.values():
        for one in about["errors"]:
            assert one["type"] != "exception_during_validation", one
    tally.ends["result" if valid else "refused, named"] += 1
