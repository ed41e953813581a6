"""Prompts through the host's CLIP."""

import pytest
import torch
from comfy.sd import CLIP
from comfy.sd1_clip import SD1Tokenizer
from comfy.sdxl_clip import SDXLTokenizer
from comfy.text_encoders.aura_t5 import AuraT5Tokenizer
from comfy.text_encoders.flux import FluxTokenizer
from comfy.text_encoders.pixart_t5 import PixArtTokenizer
from comfy.text_encoders.qwen_image import QwenImageTokenizer
from comfy.text_encoders.sd2_clip import SD2Tokenizer
from comfy.text_encoders.sd3_clip import SD3Tokenizer
from host.models import tiny
from time_diffedit.time_core.equations.equations import build_edit
from time_diffedit.time_core.equations.many_prompts import encoded, make_prior
from time_diffedit.time_core.equations.request import Request
from time_diffedit.time_core.prompts.pairs import Kept, Pair, Settings
from time_diffedit.time_core.prompts.text import Projector, TextReader, Track, arrange


def tokenizing(tokenizer) -> TextReader:
    """A reader on the host's CLIP around a real tokenizer, without a model."""
    clip = CLIP(no_init=True)
    clip.tokenizer = tokenizer
    clip.tokenizer_options = {}
    return TextReader(clip)


def reader() -> TextReader:
    return TextReader(tiny.clip())


def only(reader: TextReader, prompt: str, encoder: str | None = None) -> Track:
    tracks = [track for track in reader.tracks(prompt) if encoder in (None, track.encoder)]
    assert len(tracks) == 1
    return tracks[0]


@pytest.mark.parametrize(("tokenizer", "padding"), [(SD1Tokenizer, 49407), (SD2Tokenizer, 0)])
def test_rows_of_a_clip_encoder(tokenizer, padding):
    """SD 2.x pads with another token than the end token."""
    track = only(tokenizing(tokenizer()), "A pack of roses")
    assert len(track.ids) == 77
    assert track.word_rows == (1, 2, 3, 4)
    (chunk,) = track.chunks
    assert (chunk.start, chunk.words, chunk.tail, chunk.stop) == (0, 1, 5, 77)
    assert track.ids[0] == 49406 and track.ids[5] == 49407 and set(track.ids[6:]) == {padding}


@pytest.mark.parametrize("tokenizer", [SD1Tokenizer, PixArtTokenizer, AuraT5Tokenizer])
def test_words_and_pieces_of_tokens(tokenizer):
    """CLIP marks where words end, T5 where they start; T5 has no begin token."""
    reader = tokenizing(tokenizer())
    track = only(reader, "an otherworldly lighthouse keeper")
    words = [reader.words(track)[row] for row in track.word_rows]
    assert list(dict.fromkeys(words)) == ["an", "otherworldly", "lighthouse", "keeper"]
    assert len(words) > 4
    pieces = [reader.pieces(track)[row] for row in track.word_rows]
    assert "".join(pieces) == "anotherworldlylighthousekeeper"
    outside = set(range(len(track.ids))) - set(track.word_rows)
    assert {reader.words(track)[row] for row in outside} == {reader.pieces(track)[row] for row in outside} == {""}


def test_words_of_clip_by_hand():
    track = only(reader(), "an otherworldly caf\u00e9, ros\u00e9s")
    words = reader().words(track)[1:8]
    assert words == ("an", "otherworldly", "otherworldly", "caf\u00e9", ",", "ros\u00e9s", "ros\u00e9s")


def test_the_article_is_one_word():
    text = reader()
    assert text.keys(only(text, "an attendant"))[0] == text.keys(only(text, "a dog"))[0]
    qwen = tokenizing(QwenImageTokenizer())
    first, later = (qwen.keys(only(qwen, prompt)) for prompt in ("dog", "a red dog"))
    assert "dog" in first and "dog" in later  # with and without a blank before it


def test_rows_are_the_host_s():
    text = reader().read("A pack of roses")
    assert text.rows.shape == (77, 768) and text.rows.dtype == torch.float64
    assert torch.equal(text.rows, tiny.clip().encode("A pack of roses")[0].double())
    assert [(start, [track.encoder for track in tracks]) for start, tracks in text.units] == [(0, ["l"])]


@pytest.mark.parametrize("prompt", ["a (red:1.2) dog", "a (red) dog", "((a dog))"])
def test_weights_are_refused(prompt):
    with pytest.raises(ValueError, match="weights words by parentheses") as error:
        reader().tracks(prompt)
    assert repr(prompt) in str(error.value)


def test_real_parentheses_and_weight_one_are_words():
    text = reader()
    track = only(text, r"a dog \(red\)")
    assert [text.pieces(track)[row] for row in track.word_rows] == ["a", "dog", "(", "red", ")"]
    assert text.tracks("a (red:1.0) dog") == text.tracks("a red dog")


def test_an_embedding_is_refused(tmp_path):
    torch.save({"emb_params": torch.zeros(2, 768)}, tmp_path / "thing.pt")
    with pytest.raises(ValueError, match="'a embedding:thing dog' uses an embedding"):
        tokenizing(SD1Tokenizer(embedding_directory=str(tmp_path))).tracks("a embedding:thing dog")


def test_a_long_prompt_is_the_host_s_chunks():
    text = reader().read("dog " * 100)
    ((_, (track,)),) = text.units
    assert text.rows.shape == (154, 768)
    assert [(chunk.start, chunk.words, chunk.tail, chunk.stop) for chunk in track.chunks] == [
        (0, 1, 76, 77),
        (77, 78, 103, 154),
    ]
    assert len(track.word_rows) == 100
    assert torch.equal(text.rows, tiny.clip().encode("dog " * 100)[0].double())


def test_a_written_end_token_is_refused():
    with pytest.raises(ValueError, match="special token"):
        reader().tracks("a <|endoftext|> dog")


def test_an_exclamation_mark_is_no_special_token():
    """CLIP-G pads with the token of "!"."""
    track = only(tokenizing(SDXLTokenizer()), "wow!!!", "g")
    assert len(track.word_rows) >= 2


@pytest.mark.parametrize(
    ("tokenizer", "rows", "units"),
    [
        (SDXLTokenizer, 77, [(0, ["g", "l"])]),
        (SD3Tokenizer, 154, [(0, ["g", "l"]), (77, ["t5xxl"])]),
        (FluxTokenizer, 256, [(0, ["t5xxl"])]),
    ],
)
def test_which_rows_belong_to_which_encoder(tokenizer, rows, units):
    tracks = tokenizing(tokenizer()).tracks("a dog")
    assert [(start, [track.encoder for track in unit]) for start, unit in arrange(tracks, rows)] == units
    with pytest.raises(ValueError, match="gives 99 embedding rows.*not known"):
        arrange(tokenizing(SDXLTokenizer()).tracks("a dog"), 99)


def test_a_template_in_front_is_cut():
    """Qwen-Image's encoder gives no rows for the chat template before the prompt."""
    track = only(tokenizing(QwenImageTokenizer()), "a red dog")
    rows = len(track.ids) - 34
    ((_, (cut,)),) = arrange((track,), rows)
    assert cut.ids == track.ids[34:]
    assert cut.word_ids == track.word_ids[34:]


def test_the_fingerprint_knows_an_encoder_in_another_precision():
    clip = tiny.clip()
    mine = TextReader(clip).fingerprint
    assert (mine.encoder, mine.width, len(mine.probe), mine.projector) == ("l", 768, 32, "")
    assert mine == TextReader(clip).fingerprint

    half, other = tiny.new_clip(seed=1), tiny.new_clip(seed=2)
    for parameter in half.cond_stage_model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16).to(parameter.dtype)
    assert mine.same_encoder(TextReader(half).fingerprint)
    assert TextReader(half).fingerprint != mine
    assert not mine.same_encoder(TextReader(other).fingerprint)
    assert str(mine).startswith("l, width 768, ") and str(mine) != str(TextReader(other).fingerprint)


@pytest.mark.parametrize("wrong", ["(a rose:1.2)", "a <|endoftext|> rose"])
def test_the_input_with_such_a_prompt_is_named(wrong):
    reader = TextReader(tiny.clip())

    def refused(name: str, request: Request) -> None:
        with pytest.raises(ValueError, match=f"^{name}: The prompt "):
            build_edit(reader, request)

    roses = Pair("a rose", "a red rose")
    refused("source", Request((Pair(wrong, f"red {wrong}"),)))
    refused("destination", Request((Pair("a rose", f"{wrong} red"),)))
    refused("preserve", Request((roses,), (Kept(wrong),)))
    refused("augmentations", Request((roses,), settings=Settings(augmentations=(wrong,))))
    with pytest.raises(ValueError, match="^prompts: The prompt "):
        make_prior(reader, ("a rose", wrong))


def test_the_text_encoder_is_done_before_the_model_reads():
    """Each may need the memory of the other."""
    turns: list[str] = []

    class Told(TextReader):
        def _encode(self, prompt: str):
            turns.append("encoder")
            return super()._encode(prompt)

    def project(embedding: torch.Tensor, extra: dict) -> torch.Tensor:
        turns.append("model")
        return embedding

    told = Told(tiny.clip(), Projector("Wan", project))
    assert told.fingerprint.projector == "Wan"  # encodes what all edits need
    turns.clear()
    build_edit(told, Request((Pair("a rose", "a blue rose"),), (), Settings(augmentations=("A photo of", "A picture of"))))
    assert turns == ["encoder"] * 6 + ["model"] * 6
    turns.clear()
    rows = [len(rows) for rows in encoded(told, ["a rose", "a dog", "a car"], lambda prompts: None)]
    assert rows == [77] * 3 and turns == ["encoder"] * 3 + ["model"] * 3
