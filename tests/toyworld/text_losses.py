"""What the text encoder is taught besides denoising: to say noun, colour, count and background, each along directions
of their own. TIME edits linear maps of these rows, so entangled rows would make every edit leak."""

import torch
import torch.nn.functional as F
from torch import nn

from .data import NO_COLOUR, NO_NOUN, Captions
from .world import BACKGROUNDS, COLOURS, OBJECTS

NO_COLOUR_LOGIT = 1.5
SAME_NOUN_SIMILARITY = 0.8


class Heads(nn.Module):
    """Linear readers of one row. Colour has no head for 'none': no colour is the absence of a direction."""

    def __init__(self, width: int):
        super().__init__()
        self.noun = nn.Linear(width, len(OBJECTS), bias=False)
        self.colour = nn.Linear(width, len(COLOURS), bias=False)
        self.pair = nn.Linear(width, 2)
        self.background = nn.Linear(width, len(BACKGROUNDS))


class TextLosses(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.padding, self.word = Heads(width), Heads(width)

    def forward(self, rows: torch.Tensor, captions: Captions, which: torch.Tensor) -> torch.Tensor:
        """`rows` (B, n, width) of the captions `which` (B,)."""
        batch, n = rows.shape[:2]
        end = captions.length[which]
        some_padding = (end + 1 + (torch.rand(batch) * (n - end - 1)).long()).clamp(max=n - 1)
        places = [(self.padding, end), (self.padding, some_padding), (self.padding, torch.full((batch,), n - 1))]
        places.append((self.word, captions.noun_position[which]))
        known = captions.noun[which] != NO_NOUN
        total = rows.new_zeros(())
        for heads, position in places:
            row = rows[torch.arange(batch), position][known]
            total = total + self._read(heads, row, captions, which[known]) + _spread(row, captions, which[known])
        return total / len(places)

    def _read(self, heads: Heads, row, captions: Captions, which) -> torch.Tensor:
        none = torch.full((len(row), 1), NO_COLOUR_LOGIT)
        loss = F.cross_entropy(heads.noun(row), captions.noun[which])
        loss = loss + F.cross_entropy(torch.cat([heads.colour(row), none], 1), captions.colour[which])
        loss = loss + 0.3 * F.cross_entropy(heads.pair(row), captions.pair[which])
        if heads is self.padding:  # the background is named after the noun, so a causal noun row cannot know it
            loss = loss + 0.3 * F.cross_entropy(heads.background(row), captions.background[which])
        return loss


def _spread(row, captions: Captions, which) -> torch.Tensor:
    """Colourless captions: different nouns orthogonal, the same noun alike, no common direction."""
    plain = captions.colour[which] == NO_COLOUR
    if plain.sum() <= 3:
        return row.new_zeros(())
    row, noun = row[plain], captions.noun[which][plain]
    similarity = F.normalize(row, dim=1) @ F.normalize(row, dim=1).T
    same = noun[:, None] == noun[None]
    others = same & ~torch.eye(len(row), dtype=torch.bool)
    common = row.mean(0).pow(2).sum() / row.pow(2).sum(1).mean()
    loss = 4 * similarity[~same].pow(2).mean() + 2 * (common - 1 / len(OBJECTS)).clamp(min=0)
    if others.any():
        loss = loss + 4 * (SAME_NOUN_SIMILARITY - similarity[others]).clamp(min=0).pow(2).mean()
    return loss
