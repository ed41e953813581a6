"""The route that aligns prompts while they are typed, on a real server with the host's own tokenizers."""

import asyncio
import gzip
import json
import time
from dataclasses import asdict

import folder_paths
import pytest
import torch
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from comfy.sd import CLIP
from host.models import tiny
from safetensors.torch import save_file
from time_diffedit.nodes.time.time_compute_edit import TIMEComputeEdit
from time_diffedit.routes import alignment, tokenizers
from time_diffedit.time_core.prompts.pairs import Pair, Settings
from time_diffedit.time_core.prompts.placing import align_tokens
from time_diffedit.time_core.prompts.text import TextReader

ROSES = {
    "source": "A pack of roses",
    "destination": "A pack of blue roses",
    "alignment": "inserted words",
    "tokens": "all",
    "encoder": {"kind": "stable_diffusion", "files": 1},
}


def ask(*questions, content_type="application/json", path=alignment.PATH, clock=time.monotonic) -> list[tuple[int, dict, dict]]:
    """Status, JSON and headers of each answer; questions that are not bytes are sent as JSON."""

    async def run():
        routes = web.RouteTableDef()
        alignment.register(routes, clock)
        app = web.Application(client_max_size=100 * 2**20)  # as the host's
        app.add_routes(routes)
        answers = []
        async with TestClient(TestServer(app)) as client:
            for question in questions:
                body = question if isinstance(question, bytes) else json.dumps(question).encode()
                response = await client.post(path, data=body, headers={"Content-Type": content_type})
                answers.append((response.status, await response.json(), dict(response.headers)))
        return answers

    return asyncio.run(run())


def aligned(**changes) -> dict:
    ((status, answer, _),) = ask({**ROSES, **changes})
    assert status == 200
    return answer


def reported(**changes) -> list:
    """What the node says after a run on the SD 1.x tokenizer."""
    defaults = {i.id: i.default for i in TIMEComputeEdit.define_schema().inputs if getattr(i, "default", None) is not None}
    edit = TIMEComputeEdit.execute(**{**defaults, "clip": tiny.clip(), **changes}).args[0]
    return json.loads(json.dumps(edit.report()["alignments"]))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"source": "a dog\na rose \\[x\\]", "destination": "a [red] dog | 2\na big rose \\[x\\]"},
        {"source": "a big dog", "destination": "a small cat", "alignment": "replaced words"},
        {"source": "king", "destination": "an otherworldly lighthouse keeper", "alignment": "whole prompt"},
        {"tokens": "last word"},
        {"tokens": "without padding"},
        {"source": "a rose in a dress", "destination": "a rose in a hat in a red dress"},
        {"source": "rose " * 90, "destination": "blue " + "rose " * 90},
    ],
    ids=["roses", "lines", "replaced", "whole", "last", "without", "several", "chunks"],
)
def test_says_what_a_run_reports(changes):
    answer = aligned(**changes)
    assert (answer["encoder"], answer["error"]) == ("known", None)
    assert [pair["tracks"] for pair in answer["pairs"]] == reported(**changes)
    assert all(pair["error"] is None for pair in answer["pairs"])


def test_by_hand():
    (pair,) = aligned()["pairs"]
    assert (pair["source"], pair["destination"], pair["weight"]) == ("A pack of roses", "A pack of blue roses", 1.0)
    (track,) = pair["tracks"]
    assert track["encoder"] == "l"
    assert track["destination"] == ["", "a", "pack", "of", "blue", "roses", ""]
    assert track["pairs"] == [[0, 0], [1, 1], [2, 2], [3, 3], [4, 5], [5, 6]]
    assert track["padding"] == [71, 70] and track["alternatives"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "", "destination": ""},
        {"source": "a\nb", "destination": "a"},
        {"destination": "A pack of roses"},
        {"destination": "A pack of tulips"},
        {"destination": "A pack of (blue:1.3) roses"},
        {"destination": "A [blue roses"},
        {"destination": "A pack of blue roses<|endoftext|>"},
        {"destination": "A pack of blue roses | zero"},
        {"destination": "A pack of [blue] red roses"},
    ],
    ids=["empty", "lines", "equal", "replaced", "weights", "bracket", "special", "weight", "marks"],
)
def test_what_a_run_refuses_is_refused_in_its_words(changes):
    with pytest.raises(ValueError) as refusal:
        reported(**changes)
    answer = aligned(**changes)
    assert [answer["error"], *(pair["error"] for pair in answer["pairs"])].count(str(refusal.value)) == 1


def test_the_first_pair_that_fits_is_shown_beside_one_that_does_not():
    first, second = aligned(source="a dog\na cat", destination="a red dog\na bird")["pairs"]
    assert first["tracks"] and not first["error"]
    assert "'cat'" in second["error"] and not second["tracks"]


def test_an_embedding_is_refused_and_no_file_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "get_folder_paths", lambda name: pytest.fail("looked for files"))
    save_file({"clip_l": torch.zeros(1, 768)}, tmp_path / "rose.safetensors")
    for destination in ("A pack of embedding:rose roses", f"embedding:{tmp_path}/rose A pack of roses"):
        (pair,) = aligned(destination=destination)["pairs"]
        assert "uses an embedding, which cannot be aligned" in pair["error"]


@pytest.mark.parametrize("loader", tokenizers.LOADERS, ids=lambda loader: f"{loader[1]}{loader[0]}")
def test_every_kind_is_the_host_s_tokenizer(loader):
    """The same tracks as through the host's CLIP around the whole tokenizer, with begin, end and padding."""
    kind = tokenizers.LOADERS[loader]
    files, name = loader
    (pair,) = aligned(encoder={"kind": name, "files": files})["pairs"]
    clip = CLIP(no_init=True)
    clip.tokenizer, clip.tokenizer_options = tokenizers.tokenizing(kind).tokenizer, {}
    expected = align_tokens(TextReader(clip), Pair(ROSES["source"], ROSES["destination"]), Settings(), kind.carrying)
    assert pair["tracks"] == json.loads(json.dumps([asdict(track) for track in expected]))
    for track in pair["tracks"]:
        words = [piece for piece, is_a in zip(track["destination"], track["destination_kinds"], strict=True) if is_a == "word"]
        assert "".join(words).lower() == "apackofblueroses"
    encoders = {"sdxl": ["g", "l"], "sd3": ["g", "l", "t5xxl"], "flux": ["t5xxl"], "stable_cascade": ["g"]}
    assert [track["encoder"] for track in pair["tracks"]] == encoders.get(name, [pair["tracks"][0]["encoder"]])


@pytest.mark.parametrize(
    "encoder", [{"kind": "wan"}, {"kind": "ltxv", "files": 2}, {"kind": "../x"}, {"kind": "sdxl", "files": -1}]
)
def test_what_is_not_known_is_said_to_be_so(encoder):
    assert aligned(encoder=encoder) == {"encoder": "unknown", "error": None, "pairs": []}


def header_of(path, shapes: dict[str, list[int]]) -> None:
    """A safetensors file that breaks off behind its header."""
    entries = {name: {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    header = json.dumps(entries).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def unet_shapes(**config) -> dict[str, list[int]]:
    """Of a checkpoint as published, from the host's own class without its memory."""
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    with torch.device("meta"):
        unet = UNetModel(**config, dtype=torch.float16, device="meta")
    return {f"model.diffusion_model.{name}": list(weight.shape) for name, weight in unet.state_dict().items()}


COMMON = dict(
    image_size=32,
    in_channels=4,
    out_channels=4,
    model_channels=320,
    num_head_channels=64,
    use_spatial_transformer=True,
    legacy=False,
)
SD = dict(num_res_blocks=[2] * 4, channel_mult=[1, 2, 4, 4], transformer_depth=[1, 1, 1, 1, 1, 1, 0, 0])
SD |= dict(transformer_depth_output=[1] * 9 + [0] * 3, transformer_depth_middle=1)
XL = dict(num_res_blocks=[2] * 3, channel_mult=[1, 2, 4], transformer_depth=[0, 0, 2, 2, 10, 10], transformer_depth_middle=10)
XL |= dict(transformer_depth_output=[0, 0, 0, 2, 2, 2, 10, 10, 10], num_classes="sequential", adm_in_channels=2816)
CHECKPOINTS = {
    "sd1": (dict(**COMMON, **SD, context_dim=768, use_linear_in_transformer=False), ["l"]),
    "sd2": (dict(**COMMON, **SD, context_dim=1024, use_linear_in_transformer=True), ["h"]),
    "sdxl": (dict(**COMMON, **XL, context_dim=2048, use_linear_in_transformer=True), ["g", "l"]),
}


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"
    (folder / "mine").mkdir(parents=True)
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "checkpoints", ([str(folder)], {".safetensors", ".ckpt"}))
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    return folder


@pytest.mark.parametrize("family", CHECKPOINTS)
def test_a_checkpoint_is_known_by_its_header(checkpoints, family):
    config, encoders = CHECKPOINTS[family]
    header_of(checkpoints / "mine" / "model.safetensors", unet_shapes(**config))
    (pair,) = aligned(encoder={"checkpoint": "mine/model.safetensors"})["pairs"]
    assert [track["encoder"] for track in pair["tracks"]] == encoders


def test_a_checkpoint_that_changed_is_read_again(checkpoints):
    path = checkpoints / "model.safetensors"
    for family, (config, encoders) in CHECKPOINTS.items():
        header_of(path, unet_shapes(**config))
        (pair,) = aligned(encoder={"checkpoint": path.name})["pairs"]
        assert [track["encoder"] for track in pair["tracks"]] == encoders, family


def test_only_the_loader_s_own_files_are_read(checkpoints, monkeypatch):
    config, _ = CHECKPOINTS["sd1"]
    header_of(checkpoints.parent / "outside.safetensors", unet_shapes(**config))
    header_of(checkpoints / "model.safetensors", unet_shapes(**config))
    (checkpoints / "model.ckpt").write_bytes(b"x")
    monkeypatch.setattr(tokenizers, "_shapes", lambda path, size: pytest.fail(f"read {path}"))
    for name in (
        "../outside.safetensors",
        str(checkpoints.parent / "outside.safetensors"),
        str(checkpoints / "model.safetensors"),
        "mine/../model.safetensors",
        "./model.safetensors",
        "..\\outside.safetensors",
        "model.safetensors\0",
        "\ud800.safetensors",
        "model.ckpt",
        "nothing.safetensors",
        "mine",
    ):
        assert aligned(encoder={"checkpoint": name})["encoder"] == "unknown", name


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 64,
        (10).to_bytes(8, "little") + b"{}        ",
        (4).to_bytes(8, "little") + b"[[]]",
        (2**40).to_bytes(8, "little") + b"{}",
        (46).to_bytes(8, "little") + b'{"a": {"dtype": "F16", "shape": [-1, 1e400]}}' + b" ",
        (52).to_bytes(8, "little") + b'{"model.diffusion_model.input_blocks.0.0.weight": 3}',
    ],
    ids=["empty", "noise", "nothing", "list", "huge", "shape", "number"],
)
def test_any_file_may_lie_there(checkpoints, content):
    (checkpoints / "model.safetensors").write_bytes(content)
    assert aligned(encoder={"checkpoint": "model.safetensors"})["encoder"] == "unknown"


@pytest.mark.parametrize(
    ("question", "status", "message"),
    [
        (b"", 400, "no JSON"),
        (b"\xff", 400, "no JSON"),
        (b"[" * 60_000, 400, "no JSON"),
        ([], 400, "must be an object"),
        ({**ROSES, "encoder": "l"}, 400, "must be an object with an encoder"),
        ({**ROSES, "encoder": {}}, 400, "a kind and its number of files, or a checkpoint"),
        ({**ROSES, "encoder": {"kind": "sdxl", "checkpoint": "x"}}, 400, "a kind and its number of files, or a checkpoint"),
        ({**ROSES, "encoder": {"kind": "sdxl", "files": "2"}}, 400, "a kind and its number of files"),
        ({**ROSES, "encoder": {"kind": ["sdxl"]}}, 400, "kind must be a name"),
        ({**ROSES, "encoder": {"checkpoint": ""}}, 400, "checkpoint must be a name"),
        ({**ROSES, "encoder": {"checkpoint": "x" * 1001}}, 400, "checkpoint must be a name"),
        ({**ROSES, "source": None}, 400, "source must be a text"),
        ({**ROSES, "source": "\ud800"}, 400, "source is no Unicode text"),
        ({**ROSES, "alignment": "by ear"}, 400, "alignment must be one of: inserted words"),
        ({**ROSES, "tokens": None}, 400, "tokens must be one of: all"),
        ({**ROSES, "source": "x" * 70_000}, 413, "longer than 65536 bytes"),
    ],
)
def test_what_is_no_question(question, status, message):
    ((found, answer, _),) = ask(question)
    assert found == status and message in answer["error"] and list(answer) == ["error"]


BROKEN = {
    "breaks off": b"Content-Length: 500\r\n\r\n" + json.dumps(ROSES).encode(),
    "chunk breaks off": b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
    "no gzip": b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\nnot gzip yet",
    "half a gzip": b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + gzip.compress(json.dumps(ROSES).encode())[:20],
    "no deflate": b"Content-Encoding: deflate\r\nContent-Length: 12\r\n\r\n\xffot deflated!",
}


@pytest.mark.parametrize("aborted", [False, True], ids=["ended", "aborted"])
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_body_that_is_broken_is_no_question(body, aborted, caplog):
    """What the sender hears, if it still listens; and nothing of it is in the log."""
    seen = []

    async def run() -> bytes:
        routes = web.RouteTableDef()
        alignment.register(routes)

        @web.middleware
        async def watch(request, handler):
            response = await handler(request)
            seen.append((response.status, response.text))
            return response

        app = web.Application(middlewares=[watch])
        app.add_routes(routes)
        async with TestServer(app) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            head = f"POST {alignment.PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            writer.write(head.encode() + body)
            await asyncio.sleep(0.1)
            writer.transport.abort() if aborted else writer.write_eof()
            heard = b"" if aborted else await reader.read()
            writer.close()
            await asyncio.sleep(0.1)
        return heard

    with caplog.at_level("WARNING"):
        heard = asyncio.run(run())
    assert heard == b"" or heard.startswith(b"HTTP/1.1 400 ")
    assert all(status == 400 and "the question" in text for status, text in seen)
    assert not caplog.records


def test_only_json_is_read():
    ((status, answer, _),) = ask(ROSES, content_type="text/plain")
    assert status == 415 and "application/json" in answer["error"]


@pytest.mark.parametrize("source", ["x" * 1001, "a b\n" * 65, ("x" * 900 + "\n") * 10])
def test_prompts_too_long_for_the_preview(source):
    assert "source is too long to be aligned before a run" in aligned(source=source)["error"]


LONG = {
    "one word": ("a " * 490, "b " + "a " * 490),
    "one word twice": ("a " * 249, "a " * 498),
    "two words in turn": ("a b " * 249, "b a a " * 166),
    "every word marked": ("a " * 160, "[b] a " * 160),
    "one long word": ("x" * 1000, "x" * 999 + "y"),
    "all words differ": (" ".join(map(str, range(250))), " ".join(map(str, range(251)))),
}


@pytest.mark.parametrize("mode", ["inserted words", "replaced words", "whole prompt"])
@pytest.mark.parametrize("lines", [1, 8])
@pytest.mark.parametrize("prompts", LONG)
@pytest.mark.parametrize("loader", [(1, "stable_diffusion"), (3, "sd3")], ids=["sd1", "sd3"])
def test_any_question_is_answered_soon_or_refused(loader, prompts, lines, mode):
    """The route's thread is busy for 0.2 s at most, whatever is asked, in its own time on a core."""
    source, destination = ("\n".join([prompt.strip()] * lines) for prompt in LONG[prompts])
    encoder = {"kind": loader[1], "files": loader[0]}
    question = {**ROSES, "source": source, "destination": destination, "alignment": mode, "encoder": encoder}
    asked = alignment.parse_question(json.dumps(question).encode())
    alignment.answer(alignment.parse_question(json.dumps({**ROSES, "encoder": encoder}).encode()))  # loads the tokenizer
    started = time.thread_time()
    try:
        alignment.answer(asked)
    except alignment.Refused as refused:
        assert refused.status == 413 and "too long to be aligned before a run" in str(refused)
    assert time.thread_time() - started < 0.2


def test_a_question_that_takes_too_long_is_refused_in_words():
    source, destination = ("a " * 250 + "\n") * 8, ("a " * 499 + "\n") * 8
    question = {**ROSES, "source": source, "destination": destination, "encoder": {"kind": "sd3", "files": 3}}
    ((status, answer, _),) = ask(question)
    assert status == 413 and answer == {"error": "source and destination are too long to be aligned before a run."}


def test_too_many_questions():
    """While the clock stands still, so that no machine is too slow to reach the limit."""
    *first, (status, answer, headers) = ask(*[ROSES] * (alignment.BURST + 1), clock=lambda: 0.0)
    assert all(answered[0] == 200 for answered in first)
    assert status == 429 and headers["Retry-After"] == "1" and "too many" in answer["error"]


def test_more_than_can_wait_are_sent_away(monkeypatch):
    monkeypatch.setattr(alignment, "MOST_WAITING", 0)
    ((status, answer, headers),) = ask(ROSES)
    assert status == 429 and headers["Retry-After"] == "1" and "too many" in answer["error"]


def test_a_host_name_that_leads_here_may_ask():
    """As at every route of the host; SECURITY.md says why nothing is done about it."""
    from server import create_origin_only_middleware  # the host's; slow to import

    async def run():
        routes = web.RouteTableDef()
        alignment.register(routes)
        app = web.Application(middlewares=[create_origin_only_middleware()])
        app.add_routes(routes)
        async with TestClient(TestServer(app)) as client:
            names = {"Host": "rebound.example", "Origin": "http://rebound.example"}
            return (await client.post(alignment.PATH, json=ROSES, headers=names)).status

    assert asyncio.run(run()) == 200
