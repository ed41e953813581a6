"""The captioning nodes with tiny models in the format of transformers, made and saved here."""

import json
import logging
import random
import shutil
import sys
from dataclasses import replace

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import pytest
import torch
from host.models.node_inputs import given
from host.models.tiny_diffusion import clip, interrupted
from safetensors.torch import load_file, save_file
from time_diffedit.diffedit_core.prompts.captions_sampling import SeededSampling
from time_diffedit.nodes.diffedit.average_prompt_embeddings import AveragePromptEmbeddings
from time_diffedit.nodes.diffedit.caption_concept import CaptionConcept
from time_diffedit.nodes.diffedit.caption_image import CaptionImage
from time_diffedit.nodes.shared.caption_inputs import DRAWN, LIKELIEST, MODELS, NO_MODEL, captioning
from toyworld import caption_models
from toyworld.world import COLOURS, Place, Scene, draw, random_scene
from transformers import BlipForConditionalGeneration, BlipProcessor, T5ForConditionalGeneration, T5TokenizerFast

IMAGE = dict(model="toy-blip", text="a photo of", max_tokens=12, decoding=LIKELIEST)
CONCEPT = dict(
    concept="a red rose",
    model="toy-t5",
    template="A caption for {concept} .",
    max_tokens=12,
    decoding=DRAWN,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """toy-blip and toy-t5."""
    root = tmp_path_factory.mktemp("captioning")
    caption_models.make_blip(root / "toy-blip")
    caption_models.make_t5(root / "toy-t5")
    return root


@pytest.fixture(autouse=True)
def no_models_of_the_host(monkeypatch, tmp_path):
    """The host of the demo has captioning models of its own."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, MODELS, ([str(tmp_path / "of the host")], set()))


@pytest.fixture
def models(made, tmp_path):
    """A folder of the user's, registered as extra_model_paths.yaml does, with both models in it."""
    root = tmp_path / "my models"
    shutil.copytree(made, root)
    folder_paths.add_model_folder_path(MODELS, str(root))
    yield root
    folder_paths.folder_names_and_paths[MODELS][0].remove(str(root))


def picture(*scenes: Scene) -> torch.Tensor:
    rng = np.random.RandomState(3)
    return torch.from_numpy(np.stack([draw(rng, scene, (Place(32, 32, 22),)).pixels for scene in scenes]))


ROSE, CAR = Scene("rose", "red", background=" on grass"), Scene("car", "blue")


def caption_image(image=None, **changes) -> list[str]:
    (captions,) = CaptionImage.execute(
        picture(ROSE) if image is None else image, **given(CaptionImage, **{**IMAGE, **changes})
    ).result
    return captions.split("\n")


def caption_concept(**changes) -> list[str]:
    settings = {**CONCEPT, **changes}
    if settings["decoding"] == DRAWN:
        settings = {"captions": 4, **settings}
    (captions,) = CaptionConcept.execute(**given(CaptionConcept, **settings)).result
    return captions.split("\n")


def options(node, name: str = "model") -> list[str]:
    (found,) = [i for i in node.define_schema().inputs if i.id == name]
    return found.options


def validated(node, model: str | None) -> bool | str:
    """What the host is told before a run."""
    return node.validate_inputs(model=model, decoding={"decoding": LIKELIEST})


class TestCaptions:
    def test_of_a_picture(self, models):
        assert caption_image() == ["a photo of a red rose on grass"]
        assert caption_image(picture(CAR)) == ["a photo of a blue car"]
        assert caption_image(text="a painting of a red") == ["a painting of a red rose on grass"]

    def test_of_a_picture_are_those_of_transformers(self, models):
        network = BlipForConditionalGeneration.from_pretrained(models / "toy-blip", dtype=torch.float32).eval()
        processor = BlipProcessor.from_pretrained(models / "toy-blip")
        image = picture(Scene("fish", "purple", background=" on sand"))
        pixels = (image[0] * 255).round().to(torch.uint8).numpy()
        for text in ("a photo of", "an", "zebra", ""):
            inputs = processor(images=pixels, text=text or None, return_tensors="pt")
            if not text:  # transformers begins a caption without text with the token of another one's class
                inputs["input_ids"] = torch.tensor([[network.config.text_config.bos_token_id, 3]])
            expected = processor.decode(network.generate(**inputs, max_new_tokens=12)[0], skip_special_tokens=True)
            assert caption_image(image, text=text) == [expected]

    def test_for_a_concept_are_those_of_transformers(self, models):
        network = T5ForConditionalGeneration.from_pretrained(models / "toy-t5", dtype=torch.float32).eval()
        tokenizer = T5TokenizerFast.from_pretrained(models / "toy-t5")
        for concept in ("a red rose", "two blue cars"):
            asked = tokenizer(f"A caption for {concept} .", return_tensors="pt")
            expected = tokenizer.decode(network.generate(**asked, max_new_tokens=12)[0], skip_special_tokens=True)
            assert caption_concept(concept=concept, decoding=LIKELIEST) == [expected]

    def test_for_a_concept_hold_it_and_differ(self, models):
        captions = caption_concept(captions=16)
        assert len(captions) == 16 and len(set(captions)) > 3
        assert all("red rose" in caption for caption in captions)
        assert all("blue car" in caption for caption in caption_concept(concept=" a blue car "))

    def test_of_a_batch_are_those_of_its_pictures(self, models):
        settings = dict(captions=3, decoding=DRAWN, text="", temperature=1.5)
        both = caption_image(picture(ROSE, CAR), **settings)
        assert len(both) == 6
        assert both == caption_image(picture(ROSE), **settings) + caption_image(picture(CAR), **settings)

    def test_end_at_max_tokens(self, models):
        assert caption_image(max_tokens=2) == ["a photo of a red"]
        assert all(len(caption.split()) <= 2 for caption in caption_concept(max_tokens=2))
        assert caption_image(max_tokens=512) == ["a photo of a red rose on grass"]  # more than the model has positions

    def test_of_the_toy_world_are_right(self, models):
        rng = np.random.RandomState(99)
        scenes = [replace(random_scene(rng), names_colour=True, template="a {}") for _ in range(60)]
        captions = caption_image(torch.from_numpy(np.stack([draw(rng, scene).pixels for scene in scenes])))
        right = sum(caption == f"a photo of {scene.caption}" for caption, scene in zip(captions, scenes, strict=True))
        assert right >= 0.9 * len(scenes)

    def test_alpha_is_left_aside_and_values_are_clamped(self, models):
        image = picture(ROSE)
        assert caption_image(torch.cat([image, torch.zeros_like(image[..., :1])], dim=-1)) == caption_image()
        assert caption_image(torch.where(image > 0.9, image + 5, image)) == caption_image(image.where(image <= 0.9, 1.0))

    def test_go_into_the_mean_of_prompts(self, models):
        (captions,) = CaptionConcept.execute(**given(CaptionConcept, **CONCEPT)).result
        (((rows, _),),) = AveragePromptEmbeddings.execute(clip(), captions).result
        assert torch.isfinite(rows).all() and rows.shape[0] == 1

    def test_are_shown(self, models):
        shown = CaptionImage.execute(picture(ROSE), **given(CaptionImage, **IMAGE)).ui.as_dict()
        assert shown["text"] == ("a photo of a red rose on grass",)


class TestSampling:
    def test_depends_on_the_seed_alone(self, models):
        settings = dict(captions=6, text="", decoding=DRAWN, temperature=1.5, top_k=0)
        first = [caption_concept(seed=1), caption_image(seed=1, **settings)]
        caption_concept(seed=2)
        torch.manual_seed(5)
        assert [caption_concept(seed=1), caption_image(seed=1, **settings)] == first
        assert caption_concept(seed=2**64 - 1) != first[0] and caption_image(seed=2, **settings) != first[1]

    def test_leaves_the_process_wide_generators(self, models):
        states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
        caption_concept(), caption_image(decoding=DRAWN)
        assert torch.equal(torch.get_rng_state(), states[0])
        assert np.array_equal(np.random.get_state()[1], states[1]) and random.getstate() == states[2]

    def test_of_the_likeliest_alone_is_no_sampling(self, models):
        likeliest = caption_concept(decoding=LIKELIEST)
        assert caption_concept(captions=3, top_k=1, temperature=5.0) == likeliest * 3
        assert caption_image(decoding=DRAWN, temperature=0.05) == caption_image()

    def test_draws_with_the_probabilities_of_softmax(self):
        logits = torch.tensor([2.0, 1.0, 0.0, -1.0, 3.0])
        number = 40_000
        for temperature, top_k in ((1.0, 0), (0.5, 3), (2.0, 5), (1.0, 9)):
            sampling = SeededSampling(7, temperature, top_k)
            drawn = sampling(None, logits.half().repeat(number, 1)).argmax(dim=-1)
            kept = logits if top_k in (0, 5, 9) else torch.tensor([2.0, 1.0, float("-inf"), float("-inf"), 3.0])
            expected = (kept / temperature).softmax(dim=0)
            assert torch.allclose(drawn.bincount(minlength=5) / number, expected, atol=0.01)  # 4 standard deviations
            assert (drawn.bincount(minlength=5)[expected == 0] == 0).all()

    def test_without_it_there_is_one_caption_and_nothing_to_set(self, models):
        for node, caption, first in ((CaptionImage, caption_image, LIKELIEST), (CaptionConcept, caption_concept, DRAWN)):
            (decoding,) = (i for i in node.define_schema().inputs if i.id == "decoding")
            assert decoding.options[0].key == first
            read = {option.key: [i.id for i in option.inputs] for option in decoding.options}
            assert read == {LIKELIEST: [], DRAWN: ["captions", "temperature", "top_k", "seed"]}
            assert len(caption(decoding=LIKELIEST)) == 1

    def test_settings_that_are_left_out_have_their_defaults(self):
        drawn = captioning(8, {"decoding": DRAWN, "captions": 3, "top_k": None}).drawn
        assert (drawn.captions, drawn.temperature, drawn.top_k, drawn.seed) == (3, 0.8, 10, 0)

    def test_of_another_make_is_refused(self):
        with pytest.raises(ValueError, match="^decoding is 'beams'; choose one of likeliest word, drawn words"):
            captioning(8, {"decoding": "beams"})


class TestFolders:
    def test_are_listed_by_what_their_config_says(self, models):
        def config(name: str, text: str):
            (models / name).mkdir()
            (models / name / "config.json").write_text(text)

        config("encoder", json.dumps({"model_type": "t5", "architectures": ["T5EncoderModel"]}))
        config("answers", json.dumps({"model_type": "blip", "architectures": ["BlipForQuestionAnswering"]}))
        config("untold", json.dumps({"model_type": "t5"}))
        config("broken", "{")
        config("list", "[]")
        (models / "empty").mkdir()
        (models / "file").write_text("")
        assert options(CaptionImage) == ["toy-blip"] and options(CaptionConcept) == ["toy-t5", "untold"]

    def test_may_be_many_and_the_first_of_a_name_is_taken(self, models, made, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(made / "toy-t5", other / "toy-t5")
        (other / "toy-t5" / "model.safetensors").write_bytes(b"")
        shutil.copytree(made / "toy-t5", other / "another-t5")
        folder_paths.add_model_folder_path(MODELS, str(other))
        try:
            assert options(CaptionConcept) == ["another-t5", "toy-t5"]
            assert caption_concept(model="another-t5") == caption_concept()
        finally:
            folder_paths.folder_names_and_paths[MODELS][0].remove(str(other))

    def test_without_a_model_the_nodes_load_and_say_what_to_do(self):
        for node, run, parts in (
            (CaptionImage, caption_image, ("BLIP", "Salesforce/blip-image-captioning-large", "preprocessor_config.json")),
            (CaptionConcept, caption_concept, ("Flan-T5", "google/flan-t5-large", "model.safetensors.index.json")),
        ):
            assert options(node) == [NO_MODEL]
            told = validated(node, NO_MODEL)
            assert all(part in told for part in ("models/captioning", "tokenizer.json", *parts))
            with pytest.raises(ValueError, match="^model: models/captioning has no") as error:
                run(model=NO_MODEL)
            assert str(error.value) == told

    @pytest.mark.parametrize("name", ["../my models/toy-blip", "toy-t5", "", ".", "toy-blip/", "{root}/toy-blip"])
    def test_no_other_can_be_reached(self, models, name):
        name = name.replace("{root}", str(models))
        assert "choose one of them" in validated(CaptionImage, name)
        with pytest.raises(ValueError, match="^model is "):
            caption_image(model=name)

    def test_validation_passes_listed_and_linked_names(self, models):
        assert validated(CaptionImage, "toy-blip") is True and validated(CaptionImage, None) is True
        assert validated(CaptionConcept, "toy-t5") is True and validated(CaptionConcept, None) is True


class TestFiles:
    def test_in_numbered_parts_are_the_same(self, models):
        for name, parts, run in (
            ("blip", caption_models.blip_parts(), caption_image),
            ("t5", [caption_models.t5_tokenizer()], caption_concept),
        ):
            kind = BlipForConditionalGeneration if name == "blip" else T5ForConditionalGeneration
            network = kind.from_pretrained(models / f"toy-{name}")
            caption_models.save(models / "parts", network, *parts, max_shard_size="150KB")
            assert len(list((models / "parts").glob("model-0000*.safetensors"))) > 1
            assert not (models / "parts" / "model.safetensors").exists()
            assert run(model="parts") == run()
            next((models / "parts").glob("model-00002*.safetensors")).unlink()
            with pytest.raises(ValueError, match="^model: .* cannot be loaded"):
                run(model="parts")
            shutil.rmtree(models / "parts")

    def test_of_flan_t5_as_published(self, models):
        """Its output weights are its own, which config.json says in a way that newer versions of transformers read anew."""
        settings = dict(decoding=LIKELIEST, max_tokens=1)
        (word,) = caption_concept(**settings)
        folder = models / "toy-t5"
        weights = load_file(folder / "model.safetensors")
        weights["lm_head.weight"] = weights["shared.weight"].roll(1, 0)  # every word is taken for the next one
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        config = json.loads((folder / "config.json").read_text())
        config = {**config, "tie_word_embeddings": False}
        config.pop("scale_decoder_outputs", None)
        (folder / "config.json").write_text(json.dumps(config))
        assert caption_concept(**settings) == [caption_models.WORDS[caption_models.WORDS.index(word) + 1]]

    def test_that_can_hold_programs_are_not_read(self, models):
        weights = models / "toy-blip" / "model.safetensors"
        torch.save(load_file(weights), models / "toy-blip" / "pytorch_model.bin")
        weights.unlink()
        assert "no weights in .safetensors format" in validated(CaptionImage, "toy-blip")
        with pytest.raises(ValueError, match=r"models/captioning/toy-blip .* pytorch_model.bin, are not read"):
            caption_image()

    def test_with_missing_weights_are_refused(self, models):
        path = models / "toy-t5" / "model.safetensors"
        weights = load_file(path)
        del weights["decoder.final_layer_norm.weight"]
        save_file(weights, path, {"format": "pt"})
        with pytest.raises(ValueError, match="not all there .*decoder.final_layer_norm.weight"):
            caption_concept()

    def test_that_are_cut_off_are_refused(self, models):
        path = models / "toy-t5" / "model.safetensors"
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(ValueError, match="toy-t5 cannot be loaded"):
            caption_concept()

    @pytest.mark.parametrize("file", ["preprocessor_config.json", "tokenizer.json"])
    def test_that_lack_are_named(self, models, file):
        """transformers would go on without tokenizer.json, with a tokenizer that knows no word."""
        (models / "toy-blip" / file).unlink()
        with pytest.raises(ValueError, match=f"^model: models/captioning/toy-blip has no {file}") as error:
            caption_image()
        assert validated(CaptionImage, "toy-blip") == str(error.value)

    def test_for_pictures_may_have_their_new_name(self, models):
        folder = models / "toy-blip"
        (folder / "preprocessor_config.json").unlink()
        BlipProcessor(*reversed(caption_models.blip_parts())).save_pretrained(folder)
        assert (folder / "processor_config.json").is_file() and not (folder / "preprocessor_config.json").exists()
        assert caption_image() == ["a photo of a red rose on grass"]

    def test_for_words_that_are_broken_are_refused(self, models):
        (models / "toy-t5" / "tokenizer.json").write_text("{}")
        with pytest.raises(ValueError, match="^model: the tokenizer or the settings for pictures in .*toy-t5 cannot be read"):
            caption_concept()

    def test_are_read_without_a_network(self, models):
        hosts = []

        def notes(event, arguments):
            if event in ("socket.connect", "socket.getaddrinfo"):
                hosts.append(arguments)

        sys.addaudithook(notes)
        caption_concept(), caption_image()
        assert hosts == []


class TestHost:
    def test_manages_the_model(self, models, caplog):
        with caplog.at_level(logging.INFO):
            caption_concept(), caption_image()
        assert sum("Requested to load _Held" in record.message for record in caplog.records) == 2
        comfy.model_management.cleanup_models_gc()
        comfy.model_management.cleanup_models()
        assert not [held for held in comfy.model_management.loaded_models() if type(held.model).__name__ == "_Held"]

    @pytest.mark.parametrize("run", [caption_concept, caption_image])
    def test_stops_within_a_token_when_interrupted(self, models, run):
        seen = []

        def interrupts(value, total, *_, **__):
            seen.append((value, total))
            comfy.model_management.interrupt_current_processing(True)

        comfy.utils.set_progress_bar_global_hook(interrupts)
        try:
            with interrupted():
                run()
        finally:
            comfy.utils.set_progress_bar_global_hook(None)
        assert seen == [(1, 12)]

    def test_shows_progress_to_the_end(self, models):
        seen = []
        comfy.utils.set_progress_bar_global_hook(lambda value, total, *_, **__: seen.append((value, total)))
        try:
            caption_image(picture(ROSE, CAR), max_tokens=20)
        finally:
            comfy.utils.set_progress_bar_global_hook(None)
        values = [value for value, _ in seen]
        assert values == sorted(values) and seen[0] == (1, 40) and seen[-1] == (40, 40)

    def test_runs_nodes_in_inference_mode(self, models):
        with torch.inference_mode():
            assert caption_image() == ["a photo of a red rose on grass"]
            assert len(caption_concept()) == 4


class TestBadInput:
    def test_of_the_concept(self, models):
        with pytest.raises(ValueError, match="^concept is empty"):
            caption_concept(concept=" ")
        with pytest.raises(ValueError, match=r"^template has no \{concept\}"):
            caption_concept(template="A caption.")
        assert len(caption_concept(template="{a} {concept} {}")) == 4

    def test_text_that_leaves_no_room(self, models):
        assert caption_image(text=" ".join(["a"] * 22))[0].startswith("a a a")
        with pytest.raises(ValueError, match="^text is 23 tokens long"):
            caption_image(text=" ".join(["a"] * 23))


def test_colours_are_those_of_the_world(models):
    """Guards the models against a changed world, for which they would have to be trained anew."""
    captions = caption_image(picture(*(Scene("heart", colour) for colour in COLOURS)))
    assert captions == [f"a photo of {Scene('heart', colour).caption}" for colour in COLOURS]
