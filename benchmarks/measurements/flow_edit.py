"""Flow edit: Masked Flow Edit beside DDIM Invert with Masked Latent Sample under one mask, by strength, guidance and averages.

Measured on the validation pictures of `naturalworld.edits`, every second one of the first 27; the original's own pixels outside
the mask.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from naturalworld.edits import CELLS, NaturalEdit, natural_edit

from ..hosts.editing import DiffEditNodes
from ..hosts.inputs import run_node
from ..hosts.library import NATURAL, LibraryHost, Sampling
from ..judges.natural_edits import judged
from ..judges.pixels import psnr
from ..run.measurement import Workplace
from .natural_settings import TO_THE_PIXEL
from .study import SEED, Numbers, Part, Row, Study

STRENGTHS = (0.6, 0.8, 1.0)
STEPS, CFG = 20, 7.5
CHOSEN = {"target_cfg": CFG, "source_cfg": 3.5, "averages": 1}
OTHERS = ({"target_cfg": 3.0, "source_cfg": 1.0}, {"target_cfg": 5.0, "source_cfg": 2.0}, {"averages": 4})
"""Changes of CHOSEN, at strength 0.8."""
NOTE = (
    f"{STEPS} steps at strength 1, fewer below. *Evaluations* of the model, as rows. *Told*: the target and not the source. "
    "*Left as it was*: pixels that should change and are nearer to what they were. *Wanted*: PSNR of the pixels that should "
    f"change. Inverted at cfg 1 and sampled at {CFG:g}."
)


class FlowEdit(Study):
    """Masked Flow Edit beside inversion and masked sampling, on natural pictures whose exact masks are known."""

    name = "flow-edit"
    checkpoint: ClassVar[str] = NATURAL
    sampling: ClassVar[Sampling] = Sampling(128, steps=STEPS, cfg=3.0)

    def parts(self) -> dict[str, Part]:
        return {"edits": Part(edits, self.few((len(CELLS) + 1) // 2, 1), NOTE)}


def edits(worker: Workplace, subject: int) -> Numbers:
    edit, host = natural_edit("validation", 2 * subject), worker.host
    image = host.drawn(edit.pixels)
    calls: list[int] = []
    nodes = DiffEditNodes(host, counted(host.model, calls))
    latent = host.encoded(image)
    mask = nodes.contrast(latent, edit.source, edit.target, SEED | TO_THE_PIXEL, picture=image)[0]
    rows: dict[str, Row] = {}
    calls.clear()
    for name, made in ways(nodes, edit, latent, mask):
        decoded = host.decoded(made)
        (picture,) = host.run("CompositeEditedPicture", original=image, edited=decoded, mask=mask, feather=0)
        wanted = psnr(picture[0].clamp(0, 1).numpy(), edit.wanted, edit.truth)
        rows[name] = judged(worker.judge, edit, picture) | {"wanted": wanted, "evaluations": sum(calls)}
        calls.clear()
    return {"masked edits with and without inversion": rows}


def counted(model: Any, calls: list[int]) -> Any:
    """The MODEL, adding to `calls` the rows of each call."""
    clone = model.clone()
    clone.set_model_unet_function_wrapper(
        lambda apply, args: calls.append(len(args["input"])) or apply(args["input"], args["timestep"], **args["c"])
    )
    return clone


def ways(nodes: DiffEditNodes, edit: NaturalEdit, latent: dict, mask: Any) -> Iterator[tuple[str, dict]]:
    for strength in STRENGTHS:
        for under, prompt in (("the empty prompt", ""), ("the source", edit.source)):
            trajectory = nodes.invert(latent, prompt, {"steps": STEPS, "strength": strength})
            yield f"{strength:g}, inverted under {under}", nodes.sample(trajectory, edit.target, mask, SEED | {"cfg": CFG})
        yield f"{strength:g}, flow edit", flow_edit(nodes, edit, latent, mask, {"strength": strength})
    for other in OTHERS:
        said = ", ".join(f"{name} {value:g}" for name, value in other.items())
        yield f"0.8, flow edit, {said}", flow_edit(nodes, edit, latent, mask, {"strength": 0.8} | other)


def flow_edit(nodes: DiffEditNodes, edit: NaturalEdit, latent: dict, mask: Any, changes: dict) -> dict:
    host: LibraryHost = nodes.host
    texts = {
        name: host.conditioning(text) for name, text in (("target", edit.target), ("source", edit.source), ("negative", ""))
    }
    settings = SEED | CHOSEN | {"steps": STEPS} | changes
    return run_node(host, "MaskedFlowEdit", settings, model=nodes.model, latent=latent, mask=mask, **texts)[0]
