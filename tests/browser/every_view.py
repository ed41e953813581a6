"""A workflow with every view of the pack."""

from tools.comfyui.environment import TOY_CHECKPOINT, TOY_CLIP, TOY_CLIP_VISION
from tools.workflows.examples import EXAMPLE_PICTURE
from tools.workflows.workflow import Choice, Graph, ui_workflow

VIEWS = ("DiffEditMask", "HeatmapToMask", "DDIMInvert", "TIMEEditModel", "TIMEComputeEdit", "TIMEBalance")


def every_view(info: dict) -> dict:
    """UI JSON with every node that has a view, of a host with these nodes; one run fills them all."""
    graph = Graph()
    model, clip, vae = (graph.add("CheckpointLoaderSimple", ckpt_name=TOY_CHECKPOINT)[i] for i in range(3))
    picture = graph.add("LoadImage", image=EXAMPLE_PICTURE)[0]
    latent = graph.add("VAEEncode", pixels=picture, vae=vae)[0]
    shows, wanted = (graph.add("CLIPTextEncode", clip=clip, text=text)[0] for text in ("a red rose", "a blue rose"))
    mask = graph.add(
        "DiffEditMask",
        model=model,
        latent=latent,
        source=shows,
        target=wanted,
        picture=graph.add("ImageBatch", image1=picture, image2=picture)[0],
        seed=1,
        maps=2,
        noise_strength=0.5,
        rule=Choice("mean ratio", {"threshold_ratio": 3.0, "threshold": 0.5}),
        compare=Choice("two prompts"),
    )
    again = graph.add("HeatmapToMask", heatmap=mask[1], rule=Choice("otsu"))
    inverted = graph.add("DDIMInvert", model=model, latent=latent, clip=clip, steps=4, cfg=7.5, walk_back=True)
    prompts = {"source": "a rose\na dog", "destination": "a blue rose\na red dog"}
    edited = graph.add("TIMEEditModel", model=model, clip=clip, lamb=1e5, **prompts)
    computed = graph.add("TIMEComputeEdit", clip=clip, **prompts)
    balanced = graph.add(
        "TIMEBalance",
        model=model,
        clip=clip,
        vae=vae,
        judge_clip=graph.add("CLIPLoader", clip_name=TOY_CLIP, type="stable_diffusion", device="default")[0],
        clip_vision=graph.add("CLIPVisionLoader", clip_name=TOY_CLIP_VISION)[0],
        **{"source": "a rose", "destination": "a yellow rose", "prompt": "a photo of a rose", "label": "a yellow rose"},
        **{"opposite": "a red rose", "pictures": 2, "probes": 2, "steps": 2, "width": 128, "height": 128, "seed": 1},
        **{"lowest": 4e4, "highest": 8e4},
    )
    graph.add("MaskPreview", mask=again[0])
    for text in (inverted[3], edited[1], computed[0], balanced[2]):
        graph.add("PreviewAny", source=text)
    return ui_workflow(graph.api(), info)
