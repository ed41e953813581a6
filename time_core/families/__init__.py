"""One entry for every model family of the host that reads text in a way that TIME can edit."""

from .family import Family
from .unet import UNET

FAMILIES: tuple[Family, ...] = (UNET,)
