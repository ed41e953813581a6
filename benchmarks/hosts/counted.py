"""A model that counts what it is asked."""


class ModelCalls:
    """A clone of a MODEL that counts what it is asked, through the host's public hook: calls, and rows of all calls."""

    def __init__(self, model):
        self.calls = self.rows = 0
        self.model = model.clone()
        self.model.set_model_unet_function_wrapper(self._count)

    def _count(self, apply_model, args):
        self.calls += 1
        self.rows += len(args["input"])
        return apply_model(args["input"], args["timestep"], **args["c"])
