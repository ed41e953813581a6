"""Tiny captioning models of the toy world, as folders in the format of transformers.

`make_blip` writes one that tells what a toy picture shows, `make_t5` one that invents captions for a concept. Both are trained;
`python -m toyworld.caption_models` trains them anew, in a minute or two each on one core. `new_blip` and `new_t5` are the
same with random weights.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_model, save_model

from .stored import WEIGHTS
from .world import BACKGROUNDS, COLOURS, OBJECTS, TEMPLATES, Scene, draw, plural, random_scene

BEGINNINGS = ("", *(template.removesuffix("a {}") for template in TEMPLATES[1:]), "a photograph of ")
WORDS = sorted(
    {word for text in (*BEGINNINGS, *BACKGROUNDS, *COLOURS) for word in text.split()}
    | {"a", "an", "two"}
    | {name for noun in OBJECTS for name in (noun, plural(noun))}
)
IMAGE_SIZE = 32
PATCH = 8
WIDTH = 64


def new_blip(seed: int = 0):
    """BLIP for captions with the words of the toy world and random weights."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    size = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4}
    special = {"pad_token_id": 0, "sep_token_id": 3, "eos_token_id": 3, "bos_token_id": 5}
    text = {"vocab_size": len(_bert_vocabulary()), "max_position_embeddings": 24, "encoder_hidden_size": WIDTH, **special}
    config = BlipConfig(
        text_config={**size, **text, "projection_dim": WIDTH},
        vision_config={**size, "image_size": IMAGE_SIZE, "patch_size": PATCH},
        projection_dim=WIDTH,
        image_text_hidden_size=WIDTH,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BlipForConditionalGeneration(config)


def new_t5(seed: int = 0):
    """A gated T5, like Flan-T5, with the words of the toy world and random weights."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=len(_t5_vocabulary()),
        d_model=WIDTH,
        d_kv=16,
        d_ff=2 * WIDTH,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        dropout_rate=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return T5ForConditionalGeneration(config)


def blip_parts():
    """What makes words tokens, and what makes pictures pixels."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertTokenizerFast, BlipImageProcessor

    vocabulary = {word: i for i, word in enumerate(_bert_vocabulary())}
    words = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    words.normalizer = normalizers.BertNormalizer()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    pictures = BlipImageProcessor(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE})
    return BertTokenizerFast(tokenizer_object=words, additional_special_tokens=["[DEC]"]), pictures


def t5_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import T5TokenizerFast

    words = Tokenizer(models.Unigram([(word, -float(i)) for i, word in enumerate(_t5_vocabulary())], unk_id=2))
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    words.decoder = decoders.Metaspace()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return T5TokenizerFast(tokenizer_object=words, extra_ids=0)


def save(folder: Path, network, *parts, **settings) -> None:
    """In the format of the models that people download; `settings` go to save_pretrained, as max_shard_size."""
    network.save_pretrained(folder, **settings)
    for part in parts:
        part.save_pretrained(folder)


def make_blip(folder: Path, weights: Path = WEIGHTS) -> None:
    """Write a BLIP model of the toy world. It begins with one of `BEGINNINGS`, and goes on as "a red rose on grass"."""
    network = new_blip()
    load_model(network, weights / "blip.safetensors")
    save(folder, network, *blip_parts())


def make_t5(folder: Path, weights: Path = WEIGHTS) -> None:
    """Write a Flan-T5 model of the toy world: to any question with a concept of the world in it, captions for that."""
    network = new_t5()
    load_model(network, weights / "t5.safetensors")
    save(folder, network, t5_tokenizer())


def train_blip(pictures: int = 6000, steps: int = 2500, batch: int = 32):
    """Train on drawn pictures with captions that name the colour."""
    words, prepare = blip_parts()
    drawn, scenes = zip(*_pictures(pictures), strict=True)
    pixels = prepare(list(drawn), return_tensors="pt").pixel_values

    def batch_loss(network, rng):
        chosen = rng.choice(len(pixels), batch)
        texts = words([_caption(scenes[i], rng) for i in chosen], padding=True, return_tensors="pt")
        texts.input_ids[:, 0] = network.config.text_config.bos_token_id
        labels = texts.input_ids.masked_fill(texts.attention_mask == 0, -100)
        return network(pixel_values=pixels[chosen], **texts, labels=labels).loss

    return _train(new_blip(), batch_loss, steps)


def train_t5(steps: int = 1200, batch: int = 32):
    """Train to answer with a caption for the concept that stands among other words."""
    words = t5_tokenizer()

    def batch_loss(network, rng):
        questions, answers = zip(*(_question(rng) for _ in range(batch)), strict=True)
        asked = words(list(questions), padding=True, return_tensors="pt")
        labels = words(list(answers), padding=True, return_tensors="pt").input_ids
        return network(**asked, labels=labels.masked_fill(labels == 0, -100)).loss

    return _train(new_t5(), batch_loss, steps)


def _train(network: torch.nn.Module, batch_loss: Callable, steps: int, rate: float = 3e-3) -> torch.nn.Module:
    """AdamW with one cycle of the learning rate, from a seed. `batch_loss` takes the network and a generator."""
    rng = np.random.RandomState(0)
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    network.train()
    for _ in range(steps):
        optimiser.zero_grad()
        batch_loss(network, rng).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return network.eval()


def _pictures(number: int) -> Iterator[tuple[np.ndarray, Scene]]:
    """Pixels (H, W, 3) uint8, and what they show."""
    rng = np.random.RandomState(1)
    for _ in range(number):
        scene = replace(random_scene(rng), names_colour=True)
        yield (draw(rng, scene).pixels * 255).round().astype(np.uint8), scene


def _caption(scene: Scene, rng: np.random.RandomState) -> str:
    return BEGINNINGS[rng.randint(len(BEGINNINGS))] + replace(scene, template="a {}").caption


def _question(rng: np.random.RandomState) -> tuple[str, str]:
    """A concept among other words, and a caption for it; what the concept leaves open is made up."""
    scene = replace(random_scene(rng), template="a {}")
    concept = replace(scene, background=scene.background if rng.rand() < 0.3 else "").caption
    if rng.rand() < 0.3:
        concept = concept.removeprefix("an ").removeprefix("a ")
    around = ("Write", "a", "caption", "for", "a", "picture", "that", "shows", "of", "on", "photo", ".")
    before, after = (" ".join(rng.choice(around, rng.randint(12))) for _ in range(2))
    return f"{before} {concept} {after}", _caption(scene, rng)


def _bert_vocabulary() -> list[str]:
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *WORDS]


def _t5_vocabulary() -> list[str]:
    return ["<pad>", "</s>", "<unk>", *("\u2581" + word for word in WORDS)]


if __name__ == "__main__":
    for name, trained in (("blip", train_blip()), ("t5", train_t5())):
        save_model(trained.half(), str(WEIGHTS / f"{name}.safetensors"))
