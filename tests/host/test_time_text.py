"""Prompts through the host's CLIP."""

import pytest
import torch
from comfy.sd import CLIP
from comfy.sd1_clip import SD1Tokenizer
from comfy.sdxl_clip import SDXLTokenizer
from comfy.text_encoders.sd2_clip import SD2Tokenizer
from host import tiny
from time_diffedit.time_core import text


def tokenizing(tokenizer) -> CLIP:
    """The host's CLIP around a real tokenizer, without a model."""
    clip = CLIP(no_init=True)
    clip.tokenizer = tokenizer
    clip.tokenizer_options = {}
    return clip


@pytest.mark.parametrize("tokenizer", [SD1Tokenizer, SD2Tokenizer])
def test_ids_without_padding(tokenizer):
    """SD 2.x pads with another token than the end token."""
    clip = tokenizing(tokenizer())
    begin, end = text.tokenize(clip, "")
    ids = text.tokenize(clip, "A pack of roses")
    assert (ids[0], ids[-1], len(ids)) == (begin, end, 6)
    assert text.decode(clip, ids) == "a pack of roses"
    assert text.articles(clip) == (ids[1], text.tokenize(clip, "an")[1])


def test_words_of_tokens():
    clip = tiny.clip()
    ids = text.tokenize(clip, "an otherworldly café, rosés")
    words = text.token_words(clip, ids)
    assert words == ("", "an", "otherworldly", "otherworldly", "café", ",", "rosés", "rosés", "")


def test_rows_are_the_host_s():
    clip = tiny.clip()
    rows = text.encode(clip, "A pack of roses")
    assert rows.shape == (77, 768) and rows.dtype == torch.float64
    assert torch.equal(rows, clip.encode("A pack of roses")[0].double())


@pytest.mark.parametrize("prompt", ["a (red:1.2) dog", "a (red) dog", "((a dog))"])
def test_weights_are_refused(prompt):
    with pytest.raises(ValueError, match="weights words by parentheses") as error:
        text.tokenize(tiny.clip(), prompt)
    assert repr(prompt) in str(error.value)


def test_real_parentheses_and_weight_one_are_words():
    clip = tiny.clip()
    assert text.decode(clip, text.tokenize(clip, r"a dog \(red\)")) == "a dog ( red )"
    assert text.tokenize(clip, "a (red:1.0) dog") == text.tokenize(clip, "a red dog")


def test_an_embedding_is_refused(tmp_path):
    torch.save({"emb_params": torch.zeros(2, 768)}, tmp_path / "thing.pt")
    clip = tokenizing(SD1Tokenizer(embedding_directory=str(tmp_path)))
    with pytest.raises(ValueError, match="'a embedding:thing dog' uses an embedding"):
        text.tokenize(clip, "a embedding:thing dog")


def test_the_longest_prompt_and_one_more():
    clip = tiny.clip()
    assert len(text.tokenize(clip, "dog " * 75)) == 77
    with pytest.raises(ValueError, match="more than 75 tokens; shorten it"):
        text.tokenize(clip, "dog " * 76)


def test_a_written_end_token_is_refused():
    with pytest.raises(ValueError, match="special token"):
        text.tokenize(tiny.clip(), "a <|endoftext|> dog")


def test_two_text_encoders_are_refused():
    with pytest.raises(ValueError, match=r"2 text encoders \(g, l\).*one text encoder"):
        text.tokenize(tokenizing(SDXLTokenizer()), "a dog")
