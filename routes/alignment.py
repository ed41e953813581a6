"""POST /time_diffedit/alignment: which token of each destination the tokens of its source become, while they are typed.

The question is JSON, {"source", "destination", "alignment", "tokens", "encoder"}, the first four as on the node; the encoder
is {"kind": type of a text encoder loader, "files": how many files it takes} or {"checkpoint": name in the loader's list}.

The answer is {"encoder": known or not, "error": in the node's words, or null, "pairs": [...]}, one of them a line:
{"source", "destination", "weight", "error", "tracks"}, the tracks as `TimeEdit.report` has them after a run. Prompts that
cannot be aligned are no failure of the request. What is no such question, or takes too long, gets a status of 400 and more,
and {"error"}.
"""

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..time_core.prompts.pairs import ALIGNMENTS, TOKENS, Pair, Settings
from ..time_core.prompts.parsing import parse_pairs
from ..time_core.prompts.placing import align_tokens
from ..time_core.prompts.text import TextReader, refuse_embeddings
from .token_bucket import TokenBuckets
from .tokenizers import kind_of_checkpoint, kind_of_loader, tokenizing

PATH = "/time_diffedit/alignment"
LARGEST_QUESTION = 64 * 1024  # bytes
LONGEST_TEXT, LONGEST_LINE, MOST_LINES = 8000, 1000, 64
LONGEST_NAME = 1000
BURST, RATE = 20, 5.0
MOST_WAITING = 16
ANSWERED_WITHIN = 0.1  # seconds of one core after which nothing more is begun, once the tokenizer is loaded


@dataclass(frozen=True)
class Question:
    source: str
    destination: str
    settings: Settings
    kind: str
    files: int
    checkpoint: str


class Refused(Exception):
    """An HTTP status, and why."""

    def __init__(self, status: int, why: str, headers: dict[str, str] | None = None):
        super().__init__(why)
        self.status, self.headers = status, headers


def register(routes: web.RouteTableDef, clock: Callable[[], float] = time.monotonic) -> None:
    """Add the route; `clock`, in seconds, is what the limit on questions goes by."""
    buckets = TokenBuckets(BURST, RATE, clock=clock)
    worker = ThreadPoolExecutor(1, "time_diffedit_alignment")
    waiting = 0

    @routes.post(PATH)
    async def alignment(request: web.Request) -> web.Response:
        nonlocal waiting
        try:
            seconds = buckets.take(request.remote or "") or (1 if waiting >= MOST_WAITING else 0)
            if seconds:
                raise Refused(429, "too many questions; ask again later.", {"Retry-After": str(seconds)})
            question = parse_question(await _body(request))
            waiting += 1
            try:
                found = await asyncio.get_running_loop().run_in_executor(worker, answer, question)
            finally:
                waiting -= 1
            return web.json_response(found)
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status, headers=refused.headers)


def parse_question(body: bytes) -> Question:
    """Raises Refused for what is no question."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the question is no JSON.") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("encoder"), dict):
        raise Refused(400, "the question must be an object with an encoder.")
    encoder = asked["encoder"]
    files = encoder.get("files", 1)
    if not isinstance(files, int) or ("kind" in encoder) == ("checkpoint" in encoder):
        raise Refused(400, "encoder must name a kind and its number of files, or a checkpoint.")
    return Question(
        source=_prompts(asked, "source"),
        destination=_prompts(asked, "destination"),
        settings=Settings(alignment=_one_of(asked, "alignment", ALIGNMENTS), tokens=_one_of(asked, "tokens", TOKENS)),
        kind=_name(encoder, "kind"),
        files=files,
        checkpoint=_name(encoder, "checkpoint"),
    )


def answer(question: Question) -> dict[str, Any]:
    """The answer as JSON can hold it. Raises Refused where it would take too long."""
    kind = kind_of_checkpoint(question.checkpoint) if question.checkpoint else kind_of_loader(question.files, question.kind)
    if kind is None:
        return {"encoder": "unknown", "error": None, "pairs": []}
    reader, step = TextReader(tokenizing(kind)), deadline(ANSWERED_WITHIN)
    try:
        _check_length("source", question.source)
        _check_length("destination", question.destination)
        pairs = parse_pairs(question.source, question.destination)
    except ValueError as error:
        return {"encoder": "known", "error": str(error), "pairs": []}
    found = [_pair(reader, pair, question.settings, kind.carrying, step) for pair in pairs]
    return {"encoder": "known", "error": None, "pairs": found}


def deadline(seconds: float, clock: Callable[[], float] = time.thread_time) -> Callable[[], None]:
    """A function that raises Refused when it is called later than this, by default in this thread's own time on a core."""
    end = clock() + seconds

    def step() -> None:
        if clock() > end:
            raise Refused(413, "source and destination are too long to be aligned before a run.")

    return step


def _pair(
    reader: TextReader, pair: Pair, settings: Settings, carrying: tuple[str, ...] | None, step: Callable[[], None]
) -> dict[str, Any]:
    try:
        for prompt in (pair.source, pair.destination):
            refuse_embeddings(prompt)
        tracks = align_tokens(reader, pair, settings, carrying, step)
    except ValueError as error:
        return {**asdict(pair), "error": str(error), "tracks": []}
    return {**asdict(pair), "error": None, "tracks": [asdict(track) for track in tracks]}


async def _body(request: web.Request) -> bytes:
    if request.content_type != "application/json":
        raise Refused(415, "the question must be application/json.")
    body = bytearray()
    try:
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > LARGEST_QUESTION:
                raise Refused(413, f"the question is longer than {LARGEST_QUESTION} bytes.")
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
        request.content.feed_eof()  # else the server reads on, fails in the same way and logs it
        raise Refused(400, "the question breaks off, or is not encoded as its header says.") from None
    return bytes(body)


def _prompts(asked: dict[str, Any], name: str) -> str:
    text = asked.get(name)
    if not isinstance(text, str):
        raise Refused(400, f"{name} must be a text.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(400, f"{name} is no Unicode text.") from None
    return text


def _check_length(name: str, text: str) -> None:
    lines = text.splitlines()
    if len(text) > LONGEST_TEXT or len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
        raise ValueError(
            f"{name} is too long to be aligned before a run: at most {MOST_LINES} lines of {LONGEST_LINE} characters, "
            f"{LONGEST_TEXT} in all."
        )


def _one_of(asked: dict[str, Any], name: str, options: tuple[str, ...]) -> str:
    if asked.get(name) not in options:
        raise Refused(400, f"{name} must be one of: {', '.join(options)}.")
    return asked[name]


def _name(encoder: dict[str, Any], name: str) -> str:
    value = encoder.get(name, "")
    if not isinstance(value, str) or len(value) > LONGEST_NAME or (name in encoder and not value):
        raise Refused(400, f"encoder's {name} must be a name.")
    return value
