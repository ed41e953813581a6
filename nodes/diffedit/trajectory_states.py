from comfy_api.latest import io

from ...diffedit_core.inversion.trajectory_states import spread_states
from ...diffedit_core.repaint.masked_sampling import require_own_trajectory
from ..shared.checks import CheckedNode, checked
from ..shared.sockets import CATEGORY_DIFFEDIT, TrajectorySocket


class TrajectoryStates(CheckedNode, io.ComfyNode):
    """The states of an inversion as latents, for looking at."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TrajectoryStates",
            display_name="Trajectory States",
            category=CATEGORY_DIFFEDIT,
            description="The states that DDIM Invert passed, as a batch of latents to decode and look at.",
            search_aliases=["DiffEdit", "decode latents", "inversion steps", "intermediate states"],
            inputs=[
                io.Model.Input("model", tooltip="A model of the kind that made the trajectory."),
                TrajectorySocket.Input("trajectory", tooltip="From DDIM Invert."),
                io.Int.Input(
                    "count",
                    default=8,
                    min=1,
                    max=1001,
                    tooltip="How many states, evenly spread from the noise to the picture, both included; more than there are "
                    "gives all. Every picture of a batch gives as many.",
                ),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="LATENT",
                    tooltip="From noise to picture, at the scale at which a VAE makes sense of noisy states. For decoding, not "
                    "for sampling.",
                )
            ],
        )

    @classmethod
    @checked
    def execute(cls, model, trajectory, count) -> io.NodeOutput:
        require_own_trajectory(model, trajectory)
        states = spread_states(trajectory, count)
        return io.NodeOutput({"samples": model.model.process_latent_out(states)})
