"""The shape of the natural world's U-Net: wider than the drawn world's, and it reads more words."""

from smallmodel.unet import UNet


def new_unet(text: int) -> UNet:
    """`text` is the width of the text encoder's rows."""
    return UNet(active=(3, 5), transformers=(False, True), time=192, text=text)
