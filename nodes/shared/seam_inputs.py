"""How an edited picture meets the original: inputs of each node that lays one over the other."""

from comfy_api.latest import io

from ...diffedit_core.repaint.seams import PASTE, SEAMS


def seam_inputs() -> tuple[io.Input, ...]:
    return (
        io.Combo.Input(
            "seam",
            options=list(SEAMS),
            default=PASTE,
            optional=True,
            tooltip="Paste: the edited picture's own colours. Seamless: its colours are shifted, smoothly over the "
            "whole mask, so that they meet the original's at the edge; for masks whose edge lies in what stays.",
        ),
        io.Boolean.Input(
            "match_colours",
            default=False,
            optional=True,
            tooltip="First remove the tint that the edited picture has outside the mask, where it should be the original.",
        ),
        io.Int.Input(
            "soft_edge",
            default=0,
            min=0,
            max=256,
            optional=True,
            tooltip="Pixels around the edge of the mask whose colours in the original say how soft that edge is: hard where a "
            "thing ends at once, fading where it blends into what is around it. Outside the mask nothing changes at any value.",
        ),
    )
