"""What is said of prompts by their spelling alone, before a run: nothing that any tokenizer would place is refused."""

from itertools import product
from random import Random

import pytest
from comfy.sd1_clip import SD1Tokenizer
from comfy.text_encoders.pixart_t5 import PixArtTokenizer
from comfy.text_encoders.qwen_image import QwenImageTokenizer
from host.time.test_text import tokenizing
from time_diffedit.time_core.prompts.pairs import Pair, Settings
from time_diffedit.time_core.prompts.placing import align_tokens, require_words

WORDS = (
    *(
        "A",
        "a",
        "an",
        "An owl",
        "dog",
        "Dog",
        "dogs",
        "roses",
        "rose-bush",
        "École",
        "ecole",
        "2024",
        "20",
        "24",
        "sunflower",
        "sun",
        "flower",
    ),
    *("l'été", "玫瑰", "🌹", "_x", "(big)", "v1.5", "otherworldly"),
)
CHANGES = (
    lambda word, other: f"{word} {other}",
    lambda word, other: f"{other} {word}",
    lambda word, other: f"{other}{word}",
    lambda word, other: f"{word}s",
    lambda word, other: f"{word}-{other}",
    lambda word, other: f"[{other}] {word}",
    lambda word, other: word.upper(),
    lambda word, other: word[:-1] or word,
    lambda word, other: f"{word[:2]} {word[2:]}",
    lambda word, other: other,
)


def pairs(count: int) -> list[Pair]:
    random = Random(0)
    made = []
    for _ in range(count):
        source = random.choices(WORDS, k=random.randint(1, 4))
        destination = [random.choice(CHANGES)(word, random.choice(WORDS)) for word in source]
        made.append(Pair(" ".join(source), " ".join(destination)))
    return [pair for pair in made if pair.source != pair.destination]


def refused(check, *given) -> str:
    try:
        check(*given)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("tokenizer", [SD1Tokenizer, PixArtTokenizer, QwenImageTokenizer])
def test_what_is_refused_by_its_spelling_no_tokenizer_places(tokenizer):
    reader, found, by_tokens = tokenizing(tokenizer()), 0, 0
    for pair in pairs(1500):
        placed = refused(align_tokens, reader, pair, Settings())
        spelled = refused(require_words, pair.source, pair.destination)
        assert placed or not spelled or "are equal" in spelled, (pair, spelled)
        found, by_tokens = found + bool(spelled), by_tokens + bool(placed)
    assert found > 0.3 * by_tokens > 100


def test_a_word_is_named_as_the_tokens_name_it():
    reader = tokenizing(SD1Tokenizer())
    for source, destination in (("a dog", "a cat"), ("a dog", "a [big] cat"), ("a red dog", "a dog, red")):
        told = refused(require_words, source, destination)
        assert told and told == refused(align_tokens, reader, Pair(source, destination), Settings())


@pytest.mark.parametrize(("alignment", "tokens"), list(product(("replaced words", "whole prompt"), ("all", "last word"))))
def test_other_ways_to_place_words_need_none(alignment, tokens):
    require_words("a dog", "a cat", alignment, tokens)
    require_words("a dog", "a cat", tokens="last word")


@pytest.mark.parametrize(
    ("source", "destination"), [("an owl", "a blue owl"), ("a cat", "an orange cat"), ("An owl", "A big owl")]
)
def test_an_article_is_an_article(source, destination):
    require_words(source, destination)
