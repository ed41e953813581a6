"""The inputs that the TIME nodes share, and what those that compute an edit do with them."""

import logging
from dataclasses import dataclass

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy_api.latest import io, ui

from ...time_core.equations.equations import Equations, equations, steps
from ...time_core.equations.lambda_curve import HIGHEST_LAMBDA, LOWEST_LAMBDA
from ...time_core.equations.prior import Prior
from ...time_core.equations.request import Request
from ...time_core.equations.solve import check_lambda
from ...time_core.equations.time_edit import TimeEdit
from ...time_core.prompts.pairs import ALIGNMENTS, PRESERVE_MODES, TOKENS, Settings
from ...time_core.prompts.parsing import parse_lines, parse_pairs, parse_preserve
from ...time_core.prompts.placing import require_words
from ...time_core.prompts.text import TextReader
from ...time_core.reading.families.text_reading import named_layers, require_any
from ...time_core.reading.own_encoder import doubt
from ...time_core.reading.projections import CROSS_ATTENTION, TEXT_ENTRY, choose, read_text
from ...time_core.reading.projector import projector_of
from .interrupts import interruptible, progress
from .sockets import TimePriorSocket

ABSOLUTE, RELATIVE = "absolute", "relative to the rows"
# What goes together in the inputs of an edit.
EDIT_RULES = (parse_pairs, require_words, parse_preserve, named_layers, require_any)
AUGMENTATIONS = "A photo of \nAn image of \nA picture of "


def source(default: str = "A pack of roses") -> io.String.Input:
    return io.String.Input(
        "source",
        multiline=True,
        default=default,
        tooltip="The prompt whose assumption is wrong. One prompt a line; all lines are edited together.",
    )


def destination(default: str = "A pack of blue roses") -> io.String.Input:
    return io.String.Input(
        "destination",
        multiline=True,
        default=default,
        tooltip="What the source should mean: the same words in the same order, with others inserted. Line i belongs to "
        "line i of source. '| 2' at a line's end gives the pair the weight 2; [brackets] mark inserted words where they "
        "could stand in several places.",
    )


def lamb() -> io.Float.Input:
    return io.Float.Input(
        "lamb",
        display_name="lambda",
        default=0.1,
        min=LOWEST_LAMBDA,
        max=HIGHEST_LAMBDA,
        step=0.01,
        round=False,
        tooltip="How firmly the weights are held where they are. "
        "Less: a complete edit that reaches further. "
        "More: a weaker edit that disturbs other prompts less. "
        "Published value 0.1; useful range 0.01 to 10000. After a run the node suggests a value.",
    )


def strength(tooltip: str, least: float = -10.0, **options) -> io.Float.Input:
    return io.Float.Input("strength", default=1.0, min=least, max=10.0, step=0.05, tooltip=tooltip, **options)


def edit_keys(**options) -> io.Boolean.Input:
    return io.Boolean.Input(
        "edit_keys",
        default=True,
        tooltip="Edit the key projections, by which the picture finds the words it attends to.",
        **options,
    )


def edit_values(**options) -> io.Boolean.Input:
    return io.Boolean.Input(
        "edit_values",
        default=True,
        tooltip="Edit the value projections, which are what words contribute to the picture.",
        **options,
    )


def augmentations(**options) -> io.String.Input:
    return io.String.Input(
        "augmentations",
        multiline=True,
        default=AUGMENTATIONS,
        tooltip="Beginnings, one a line, that are put before source and destination, so that the edit "
        "holds in other sentences too. Empty: only the prompts themselves.",
        **options,
    )


def preserve(**options) -> io.String.Input:
    return io.String.Input(
        "preserve",
        multiline=True,
        default="",
        tooltip="Prompts, one a line, whose meaning must stay; '| 2' at a line's end gives it the weight 2. "
        "They stay; with a small lambda others may then move more. Do not list what the edit is meant to change.",
        **options,
    )


def choices() -> list[io.Input]:
    """The settings beyond the paper's."""
    return [
        io.Boolean.Input(
            "preserve_empty",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Keep the meaning of the empty prompt, which guidance subtracts. On: pictures without a prompt stay; with "
            "a small lambda the edit then has to move other prompts more, so raise lambda with it. Off: as published.",
        ),
        io.Combo.Input(
            "alignment",
            options=list(ALIGNMENTS),
            default=ALIGNMENTS[0],
            optional=True,
            advanced=True,
            tooltip="Which token of the destination each token of the source becomes. "
            "Inserted words: as published, the destination holds all words of the source. "
            "Replaced words: 'a dog' may become 'a cat'. "
            "Whole prompt: nothing in common; only begin, end and padding carry the edit.",
        ),
        io.Combo.Input(
            "tokens",
            options=list(TOKENS),
            default=TOKENS[0],
            optional=True,
            advanced=True,
            tooltip="Which tokens carry the edit. All: as published, padding included; reaches furthest. "
            "Without padding: disturbs other prompts less, and the edit is weaker. "
            "Last word: only the prompt's last word, whatever stands before it; the smallest edit.",
        ),
        io.String.Input(
            "layers",
            default="all",
            optional=True,
            advanced=True,
            tooltip="Which attention blocks are edited: all; down, middle, up (U-Nets); or numbers in their order, "
            "such as 0-5, 9.",
        ),
        io.Combo.Input(
            "lambda_unit",
            options=[ABSOLUTE, RELATIVE],
            default=ABSOLUTE,
            optional=True,
            advanced=True,
            tooltip="Absolute: lambda as published, in units of a squared embedding length. Relative to the rows: lambda "
            "is multiplied by the mean squared length of the prompt's embeddings, so that one value means the same for "
            "every text encoder; 0.1 is about 0.0001 there for SD 1.x.",
        ),
    ]


def where() -> io.Combo.Input:
    return io.Combo.Input(
        "where",
        options=[CROSS_ATTENTION, TEXT_ENTRY],
        default=CROSS_ATTENTION,
        optional=True,
        advanced=True,
        tooltip="Cross-attention: the keys and values that read the text. Text entry layer: for models with joint "
        "attention (SD3, Flux, Qwen-Image), the layer by which text enters; the same as editing the conditioning.",
    )


def sparing() -> list[io.Input]:
    """How the solve spares what the edit is not about."""
    return [
        io.Combo.Input(
            "preserve_mode",
            options=list(PRESERVE_MODES),
            default=PRESERVE_MODES[0],
            optional=True,
            advanced=True,
            tooltip="How preserve and preserve_empty are kept. Softly: as published, by their weights. "
            "Exactly: these prompts do not move at all; what that costs of the edit is shown after a run. "
            "Exactly if moved: only those that the edit would move more than the mean of them.",
        ),
        prior("From TIME Prior: directions that everyday prompts use cost the edit more. Left out: as published."),
        rho(
            "How much dearer prior makes the directions that everyday prompts use. More: other prompts move less, and "
            "the source is changed less completely. 0: as published. Nothing without prior."
        ),
    ]


def prior(tooltip: str) -> io.Input:
    return TimePriorSocket.Input("prior", optional=True, tooltip=tooltip)


def rho(tooltip: str) -> io.Float.Input:
    return io.Float.Input(
        "rho", default=1.0, min=0.0, max=1e6, step=0.1, round=False, optional=True, advanced=True, tooltip=tooltip
    )


@dataclass(frozen=True)
class EditInputs:
    """What the inputs of a node say of an edit, as they are typed. The defaults are for inputs that may be left out."""

    source: str
    destination: str
    edit_keys: bool = True
    edit_values: bool = True
    augmentations: str = AUGMENTATIONS
    preserve: str = ""
    preserve_empty: bool = False
    alignment: str = ALIGNMENTS[0]
    tokens: str = TOKENS[0]
    layers: str = "all"
    lambda_unit: str = ABSOLUTE
    preserve_mode: str = PRESERVE_MODES[0]
    prior: Prior | None = None
    rho: float = 1.0

    def request(self) -> Request:
        """The inputs read. Raises ValueError as parse_pairs and parse_preserve."""
        settings = Settings(
            relative=self.lambda_unit == RELATIVE,
            alignment=self.alignment,
            tokens=self.tokens,
            augmentations=parse_lines(self.augmentations),
            preserve_empty=self.preserve_empty,
            edit_keys=self.edit_keys,
            edit_values=self.edit_values,
            layers=self.layers,
            preserve_mode=self.preserve_mode,
            rho=0.0 if self.prior is None else self.rho,
            prior="" if self.prior is None else str(self.prior),
        )
        return Request(parse_pairs(self.source, self.destination), parse_preserve(self.preserve), settings, self.prior)


def compute(clip, model, where: str, inputs: EditInputs, lamb: float) -> TimeEdit:
    """The edit of the inputs at `lamb`; `model` may be None. Raises ValueError as `equations_of` and Equations.edit."""
    check_lambda(lamb)
    return interruptible(equations_of(clip, model, where, inputs).edit, lamb, with_curve=True)


def equations_of(clip, model, where: str, inputs: EditInputs) -> Equations:
    """The inputs' equations, as `encoded`. Raises ValueError as EditInputs.request too."""
    return encoded(reader_of(clip, model, where), model, where, inputs.request())


def encoded(reader: TextReader, model, where: str, request: Request) -> Equations:
    """The equations of a request, with a progress bar over the prompts; `model` may be None.

    Raises ValueError as `choose` and `equations`, InterruptProcessingException if the user interrupted.
    """
    if model is not None:
        width = reader.empty.rows.shape[1]
        choose(model, read_text(model, where), request.settings, width)  # before the long part
    return equations(reader, request, progress(steps(request)), throw_exception_if_processing_interrupted)


def reader_of(clip, model, where: str) -> TextReader:
    """Reads prompts as the keys and values of `model` do; `model` may be None."""
    return TextReader(clip, projector_of(model, entry=where == TEXT_ENTRY) if model is not None else None)


def with_doubt(text: str, model, edit: TimeEdit, clip=None) -> str:
    """What a node shows, and whether the edit's text encoder may not be the model's, which the log says too."""
    found = "" if model is None else doubt(model, edit.fingerprint.encoder, clip)
    if found:
        logging.warning("TIME-DiffEdit: %s", found)
    return f"{text}\n{found}" if found else text


def report(edit: TimeEdit, summary: str) -> dict:
    """What a node shows of the edit that it computed."""
    shown = {"time_edit": [edit.report()], "lambda_curve": edit.curve_report(), "verdict": [edit.verdict_report()]}
    return {**ui.PreviewText(summary).as_dict(), **shown}
