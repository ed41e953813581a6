"""The inputs of a node as the host hands them to `execute`, from settings by their name alone."""

from comfy_api.latest import io
from time_diffedit.nodes import DiffEditMask


def given(node: type[io.ComfyNode], **settings) -> dict:
    """The settings of each chosen option in the dict of its choice, those that are left out at their defaults.

    A choice that is left out is its first option, or left out where it may be. Settings of other options are dropped, as in
    the browser; what no input reads is left as it is, so that `execute` refuses it.
    """
    inputs = node.define_schema().inputs
    result, moved = dict(settings), set()
    for choice in inputs:
        if isinstance(choice, io.DynamicCombo.Input) and (choice.id in settings or not choice.optional):
            chosen = settings.get(choice.id, choice.options[0].key)
            read = [i for option in choice.options if option.key == chosen for i in option.inputs]
            result[choice.id] = {choice.id: chosen} | {i.id: settings.get(i.id, getattr(i, "default", None)) for i in read}
            moved |= {i.id for option in choice.options for i in option.inputs}
    own = {i.id for i in inputs}
    return {name: value for name, value in result.items() if name in own or name not in moved}


def mask_inputs(**settings) -> dict:
    """The inputs of DiffEdit Mask, with the comparison that reads these settings."""
    of = "two models" if "target_model" in settings else "two prompts"
    guided = {"cfg", "target_negative", "source_negative"} & settings.keys()
    return given(DiffEditMask, **{"compare": f"{of}, guided" if guided else of, **settings})
