"""The page as a whole: templates load, run and convert."""

from comfy_page import ComfyPage


def test_opens(comfy: ComfyPage):
    comfy.open_template("diffedit")
    comfy.picture("opened")
    comfy.show("DiffEditMask")
    comfy.picture("diffedit_mask")
    assert comfy.value("DiffEditMask", "threshold") == 0.5
