from comfy_api.latest import io, ui

from ...time_core.application.prior_file import load_prior, save_prior
from ...time_core.equations.everyday import captions
from ...time_core.equations.many_prompts import make_prior
from ...time_core.equations.prior import Prior, digest_of
from ...time_core.prompts.parsing import parse_lines
from ..shared import places, time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.interrupts import progress
from ..shared.sockets import CATEGORY_TIME, TimePriorSocket


class TIMEPrior(CheckedNode, io.ComfyNode):
    """What everyday prompts use of a text encoder, for edits that leave it alone."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMEPrior",
            display_name="TIME Prior",
            category=CATEGORY_TIME,
            description="Measures which directions of the text everyday prompts use, so that an edit spares them. Once for "
            "each text encoder; the result is kept as a file.",
            search_aliases=["TIME", "OCE", "regularisation", "preserve", "locality", "everyday prompts"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder that the edit is computed with."),
                io.String.Input(
                    "prompts",
                    multiline=True,
                    default="",
                    tooltip="Prompts, one a line, whose directions edits shall spare: some hundred such as you write. Leave "
                    "out what the edit is meant to change. Empty: a thousand everyday captions that the pack brings.",
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="Needed where the edit is computed with a model that puts text through a projector of its own. "
                    "Leave it out for SD and SDXL.",
                ),
                time_inputs.where(),
            ],
            outputs=[TimePriorSocket.Output(display_name="TIME_PRIOR", tooltip="For prior of the nodes that compute edits.")],
        )

    @classmethod
    @checked
    def execute(cls, clip, prompts, model=None, where=time_inputs.CROSS_ATTENTION) -> io.NodeOutput:
        lines = parse_lines(prompts)
        name = f"{len(lines)} prompts" if lines else "the everyday captions"
        lines = lines or captions()
        reader = time_inputs.reader_of(clip, model, where)
        digest, reading = digest_of(lines), reader.fingerprint
        path = places.own_path(places.PRIORS, f"{reading.encoder}-{reading.digest}-{digest[:12]}")
        shown = places.label("models", places.PRIORS, path)
        prior = load_prior(path, digest, reading)
        if prior is not None:
            return io.NodeOutput(prior, ui=ui.PreviewText(f"{_summary(prior, name)}\nread from {shown}"))
        prior = make_prior(reader, lines, progress(len(lines)))
        try:
            save_prior(path, prior)
            note = f"kept as {shown}"
        except OSError as error:
            note = f"could not be kept as {shown} ({error.strerror or error}); it will be measured again after a restart"
        return io.NodeOutput(prior, ui=ui.PreviewText(f"{_summary(prior, name)}\n{note}"))


def _summary(prior: Prior, name: str) -> str:
    width = prior.fingerprint.width
    return (
        f"prior of {name}: they use {len(prior.values)} of {width} directions\n"
        f"at rho 1 an edit costs {1 + prior.values[0].item():.0f} times as much along the first, "
        f"{1 + prior.values[len(prior.values) // 2].item():.2g} times along the middle one"
    )
