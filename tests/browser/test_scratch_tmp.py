import sys; sys.path.insert(0,"/work/main/tests/browser")
from comfy_page import ComfyPage
from test_mask_view import mask_workflow
def test_look(comfy, server):
    comfy.load(mask_workflow(server))
    comfy.show("DiffEditMask", 1.0); comfy.picture("scratch_empty")
    comfy.run(); comfy.show("DiffEditMask", 1.0)
    comfy.picture("scratch_ran")
