"""Captions of pictures by BLIP and for concepts by Flan-T5, through transformers, under the host's memory management.

BLIP: Li, Li, Xiong, Hoi, ICML 2022, arXiv 2201.12086. Flan-T5: Chung and others, 2022, arXiv 2210.11416. How both serve
DiffEdit is shown in the DiffEdit guide of Hugging Face's diffusers.

Nothing is downloaded: models are read from local folders, weights from .safetensors files, and no program in a folder runs.
The classes of transformers are imported where they are used: that takes half a second, which only those wait who caption.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher
from PIL import Image
from safetensors import SafetensorError

from .captions_sampling import SeededSampling

LOCAL_ONLY = {"local_files_only": True, "trust_remote_code": False}
UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, SafetensorError)


@dataclass(frozen=True)
class DrawnWords:
    """Words are drawn by their probability, so that captions differ. See `SeededSampling`.

    Attributes:
        captions: how many, >= 1.
    """

    captions: int = 1
    temperature: float = 0.8
    top_k: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Captioning:
    """How captions are made.

    Attributes:
        max_tokens: the most new tokens of a caption.
        drawn: None: the likeliest token is taken each time, which gives one caption.
    """

    max_tokens: int
    drawn: DrawnWords | None = None

    @property
    def number(self) -> int:
        return 1 if self.drawn is None else self.drawn.captions


def caption_images(folder: Path, images: torch.Tensor, text: str, captioning: Captioning) -> list[str]:
    """`captioning.number` captions of each picture, picture after picture, all beginning with `text`.

    Pictures are captioned one by one from the same seed, so that the captions of one do not depend on the others.

    Args:
        folder: a BLIP model.
        images: (B, H, W, 3 or more) in 0..1.
        text: may be empty.

    Raises:
        ValueError: the folder cannot be loaded, or `text` leaves no room for a caption.
    """
    from transformers import BlipForConditionalGeneration, BlipProcessor

    processor = _read(BlipProcessor, folder)
    patcher = _patcher(BlipForConditionalGeneration, folder)
    network = patcher.model.network
    config = network.config.text_config
    beginning = processor.tokenizer(text, return_tensors="pt").input_ids[:, :-1]  # without the token that ends a text
    beginning[:, 0] = config.bos_token_id
    room = config.max_position_embeddings - beginning.shape[1]
    if room < 1:
        raise ValueError(f"text is {beginning.shape[1] - 1} tokens long, which leaves no room for a caption; shorten it.")
    _load(patcher, captioning, config.num_hidden_layers, config.hidden_size)
    progress = _Progress(len(images), captioning)
    captions = []
    for image in images:
        pixels = processor.image_processor(_picture(image), return_tensors="pt").pixel_values
        seen = network.vision_model(pixel_values=pixels.to(patcher.load_device, network.dtype))[0]
        tokens = _generate(
            network.text_decoder,
            beginning.to(patcher.load_device),
            captioning,
            progress,
            max_new_tokens=min(room, captioning.max_tokens),
            encoder_hidden_states=seen.repeat(captioning.number, 1, 1),
            encoder_attention_mask=seen.new_ones((captioning.number, seen.shape[1]), dtype=torch.long),
            eos_token_id=config.sep_token_id,
            pad_token_id=config.pad_token_id,
        )
        captions += _texts(processor.tokenizer, tokens)
    return captions


def caption_concept(folder: Path, prompt: str, captioning: Captioning) -> list[str]:
    """`captioning.number` answers of a Flan-T5 model in `folder` to `prompt`.

    Raises:
        ValueError: the folder cannot be loaded.
    """
    from transformers import T5ForConditionalGeneration, T5TokenizerFast

    tokenizer = _read(T5TokenizerFast, folder)
    patcher = _patcher(T5ForConditionalGeneration, folder)
    network = patcher.model.network
    _load(patcher, captioning, network.config.num_decoder_layers, network.config.num_heads * network.config.d_kv)
    question = tokenizer(prompt, return_tensors="pt").input_ids.to(patcher.load_device)
    progress = _Progress(1, captioning)
    return _texts(tokenizer, _generate(network, question, captioning, progress, max_new_tokens=captioning.max_tokens))


class _Held(torch.nn.Module):
    """A network of transformers in the form that ModelPatcher takes: one whose `device` can be set."""

    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.network = network


class _Progress:
    """Called for each token of each run: shows it, and stops if the user interrupts. A stopping criterion that never holds."""

    def __init__(self, runs: int, captioning: Captioning):
        self._bar = comfy.utils.ProgressBar(runs * captioning.max_tokens)
        self._tokens_per_run, self._runs, self._tokens = captioning.max_tokens, 0, 0

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_) -> torch.Tensor:
        comfy.model_management.throw_exception_if_processing_interrupted()
        self._tokens += 1
        self._bar.update_absolute(self._runs * self._tokens_per_run + self._tokens)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def run_done(self) -> None:
        """Captions mostly end before `max_tokens`."""
        self._runs, self._tokens = self._runs + 1, 0
        self._bar.update_absolute(self._runs * self._tokens_per_run)


def _read(kind: type, folder: Path) -> Any:
    try:
        return kind.from_pretrained(folder, **LOCAL_ONLY)
    except UNREADABLE as error:
        raise ValueError(
            f"model: the tokenizer or the settings for pictures in {folder} cannot be read ({error}); put all small files of "
            "the model into the folder, too."
        ) from error


def _patcher(kind: type, folder: Path) -> ModelPatcher:
    """The network on the CPU, in the hands of the host's memory management.

    Text encoders' devices, like the host's CLIP. bfloat16 where the device computes in it, else float32: in float16, which
    the host takes for its own text encoders, T5's activations overflow unless each layer is cast.
    """
    management = comfy.model_management
    try:
        with torch.random.fork_rng(devices=[]):  # building the layers draws from the process-wide generator
            network, loaded = kind.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **LOCAL_ONLY)
    except UNREADABLE as error:
        raise ValueError(f"model: {folder} cannot be loaded ({error}); get the model's files anew.") from error
    if loaded["missing_keys"]:
        raise ValueError(
            f"model: the weights in {folder} are not all there (such as {min(loaded['missing_keys'])}); put all .safetensors "
            "files of the model into the folder."
        )
    device, offload_device = management.text_encoder_device(), management.text_encoder_offload_device()
    if management.vram_state == management.VRAMState.NO_VRAM:  # in parts only, which only the host's own layers can
        device = offload_device
    in_half = management.should_use_bf16(device) and management.text_encoder_dtype(device) != torch.float32
    network = network.to(torch.bfloat16 if in_half else torch.float32).eval().requires_grad_(False)
    return ModelPatcher(_Held(network), load_device=device, offload_device=offload_device)


def _load(patcher: ModelPatcher, captioning: Captioning, layers: int, width: int) -> None:
    """Bring the weights to their device, whole: layers that are not the host's cannot be moved one by one.

    Room is made for the keys and values of all captions too, of `width` in each of the `layers`, to themselves and to what
    is captioned (some 600 rows for a picture).
    """
    rows = captioning.max_tokens + 600
    memory = 2 * layers * width * rows * captioning.number * patcher.model.network.dtype.itemsize
    comfy.model_management.load_models_gpu([patcher], memory_required=memory, force_full_load=True)


def _generate(network, tokens: torch.Tensor, captioning: Captioning, progress: _Progress, **settings) -> torch.Tensor:
    """Continue or answer tokens (1, n): (captioning.number, m)."""
    from transformers import LogitsProcessorList, StoppingCriteriaList

    tokens = tokens.repeat(captioning.number, 1)
    drawn = captioning.drawn
    sampling = [] if drawn is None else [SeededSampling(drawn.seed, drawn.temperature, drawn.top_k)]
    made = network.generate(
        input_ids=tokens,
        attention_mask=torch.ones_like(tokens),
        do_sample=False,
        num_beams=1,
        num_return_sequences=1,
        logits_processor=LogitsProcessorList(sampling),
        stopping_criteria=StoppingCriteriaList([progress]),
        **settings,
    )
    progress.run_done()
    return made


def _texts(tokenizer, tokens: torch.Tensor) -> list[str]:
    return [" ".join(text.split()) for text in tokenizer.batch_decode(tokens, skip_special_tokens=True)]


def _picture(image: torch.Tensor) -> Image.Image:
    return Image.fromarray((image[..., :3].clamp(0, 1) * 255).round().to("cpu", torch.uint8).numpy())
