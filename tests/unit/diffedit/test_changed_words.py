"""Which words change is told from embeddings: of made ones here, of a trained encoder's in host/diffedit/test_focus.py."""

import pytest
import torch
from time_diffedit.diffedit_core.mask.changed_words import changed_rows

WIDTH, PADDED = 64, 12
NAMES = ["begin", "a", "red", "blue", "rose", "car", "and", "end"]
WORDS = dict(zip(NAMES, torch.randn(len(NAMES), WIDTH, generator=torch.Generator().manual_seed(1)), strict=True))


def encoded(text: str, context: float = 0.1) -> torch.Tensor:
    """(PADDED, WIDTH): words, each of which knows a little of those before it, an end that knows much, padding like it."""
    words = [WORDS["begin"], *(WORDS[word] for word in text.split())]
    rows = [word + context * sum(words[:i], torch.zeros(WIDTH)) for i, word in enumerate(words)]
    end = WORDS["end"] + 0.5 * sum(words)
    padding = torch.randn(PADDED, WIDTH, generator=torch.Generator().manual_seed(2))
    rows += [end + 0.05 * padding[i] for i in range(len(rows), PADDED)]
    return torch.stack(rows)


@pytest.mark.parametrize(
    "source, target, changed",
    [
        ("a red rose", "a blue rose", [2]),
        ("a rose and a red car", "a rose and a blue car", [5]),
        ("a red rose and a car", "a blue rose and a red car", [2]),
        ("a red rose and a blue car", "a blue rose and a red car", [2, 6]),
        ("a rose", "a car", [2]),
        ("a red rose", "a rose", [2]),
        ("a rose", "a blue rose", [2]),
        ("a rose", "a rose and a car", []),
        ("a rose", "a rose", []),
        ("", "a rose", []),
    ],
)
def test_the_words_of_source_that_target_has_not(source, target, changed):
    assert changed_rows(encoded(source), encoded(target)) == changed


def test_prompts_of_several_lengths_and_types():
    source, target = encoded("a red rose"), encoded("a blue rose")
    longer = torch.cat([target, encoded("")])
    assert changed_rows(source.half(), longer.half()) == [2]
    assert changed_rows(source[:, : WIDTH // 2], target) == []
    assert changed_rows(source[:1], target) == []
    assert changed_rows(torch.zeros(3, WIDTH), target) == []
