"""Drawing the next word of a caption, from a generator of its own."""

import torch


class SeededSampling:
    """Makes a search for the likeliest words draw words instead: a logits processor of transformers.

    The process-wide generator is not touched, the draw depends on the seed alone, and it is the same on every device up
    to the rounding of the model. A token is drawn with its probability by adding Gumbel noise to the logits and taking the
    largest (Gumbel 1954; Maddison, Tarlow, Minka 2014, arXiv 1411.0030).

    Args:
        seed: 0 .. 2**64 - 1.
        temperature: > 0; the logits are divided by it. 1 is the model's own distribution, less is safer.
        top_k: only the k likeliest tokens are drawn; 0 for all.
    """

    def __init__(self, seed: int, temperature: float, top_k: int):
        self._generator = torch.Generator().manual_seed(seed)
        self._temperature, self._top_k = temperature, top_k

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (captions, vocabulary) whose largest is the token to take; `input_ids` are not read."""
        logits = scores.float() / self._temperature
        if 0 < self._top_k < logits.shape[-1]:
            smallest = logits.topk(self._top_k).values[..., -1:]
            logits = logits.masked_fill(logits < smallest, float("-inf"))
        exponential = torch.empty(logits.shape).exponential_(generator=self._generator)
        return logits - exponential.clamp_(min=torch.finfo(torch.float32).tiny).log_().to(logits.device)  # plus Gumbel noise
