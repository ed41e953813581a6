"""The captions that the pack ships."""

import pytest
from time_diffedit.time_core.equations.everyday import LISTS, captions


def test_a_thousand_different_captions_use_every_word():
    found = captions()
    assert len(found) == len(set(found)) == 1000
    assert found == captions() and found[:3] == ("a baby on a city street", "a painting of a butterfly", "a wooden ball")
    text = "\n".join(found)
    assert not [word for words in LISTS.values() for word in words if word not in text]
    assert max(len(caption.split()) for caption in found) <= 20
    assert "{" not in text and " a a" not in text and " a o" not in text.replace(" a one", "")


def test_words_can_be_left_out():
    found = captions(400, without=("Dog", "dogs", "painting"))
    assert len(found) == 400
    assert not {"dog", "dogs", "painting"} & {word for caption in found for word in caption.split()}
    with pytest.raises(ValueError, match="fewer than 1000 are without these 1 words"):
        captions(without=("a",))
