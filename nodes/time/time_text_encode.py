from comfy_api.latest import io, ui

from ...time_core.application.conditioning import check_edits_text, edit_conditioning
from ...time_core.application.word_gate import RULES, WordGate, parse_synonyms, parse_words
from ...time_core.equations.part import check_prior, part
from ...time_core.prompts.text import TextReader
from ..shared import time_inputs
from ..shared.checks import CheckedNode, checked
from ..shared.interrupts import interruptible
from ..shared.sockets import CATEGORY_TIME, TimeEditSocket


class TIMETextEncode(CheckedNode, io.ComfyNode):
    """CLIP Text Encode with an edit that only the prompts get which are about its source."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TIMETextEncode",
            display_name="TIME Text Encode",
            category=CATEGORY_TIME,
            description="Encodes a prompt, with a TIME edit if the words of the edit's source occur in it and it does not say "
            "otherwise itself. Every other prompt is encoded as by CLIP Text Encode, bit for bit. Of an edit of many pairs "
            "only those act that the prompt is about. For all models, quantised ones and Flux too.",
            search_aliases=["TIME", "CLIP Text Encode", "prompt", "concept edit", "word gate", "locality"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder that the edit was computed with."),
                io.String.Input("text", multiline=True, dynamic_prompts=True, tooltip="The prompt, as in CLIP Text Encode."),
                TimeEditSocket.Input(
                    "time_edit",
                    tooltip="An edit of keys and values in all layers, computed from clip alone, such as by TIME Compute Edit.",
                ),
                io.Combo.Input(
                    "wake",
                    options=list(RULES),
                    default=RULES[0],
                    tooltip="When the prompt is edited. All source words: all that a line of source is about occur in it, in "
                    "any inflection (roses: rose, ROSES). Any source word: one of them is enough. Always: every prompt is "
                    "edited, as by TIME Edit Conditioning, but for what prompt_wins leaves alone.",
                ),
                io.String.Input(
                    "synonyms",
                    multiline=True,
                    default="",
                    tooltip="Other words and phrases that wake the edit, separated by commas or lines: for a dog also puppy, "
                    "bulldog. More: fewer related prompts are missed.",
                ),
                time_inputs.strength(
                    "Scales the edit: 0 is the original prompt, 1 the full edit, less than 0 the opposite.",
                    optional=True,
                    advanced=True,
                ),
                io.Boolean.Input(
                    "prompt_wins",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="The edit sleeps where the prompt itself says of the source's own thing another word of the kind "
                    "that the edit inserts: 'a yellow rose', 'a rose in yellow', 'a rose that is yellow', for an edit to blue "
                    "roses. English colours, genders, ages, materials and sizes are known; for words of other kinds this does "
                    "nothing but by alternatives. Off: the edit acts there too.",
                ),
                io.String.Input(
                    "alternatives",
                    multiline=True,
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="Further words with which prompt_wins puts the edit to sleep, separated by commas, blanks or "
                    "lines: for a dog that becomes a poodle dog also bulldog, pug.",
                ),
                time_inputs.prior(
                    "The prior that time_edit was computed with, if it was and has several pairs: those that the prompt is "
                    "about are solved again without the others."
                ),
            ],
            outputs=[
                io.Conditioning.Output(display_name="CONDITIONING", tooltip="The encoded prompt, edited where it was woken.")
            ],
        )

    @classmethod
    @checked
    def execute(
        cls, clip, text, time_edit, wake, synonyms="", strength=1.0, prompt_wins=True, alternatives="", prior=None
    ) -> io.NodeOutput:
        check_edits_text(time_edit, strength)
        pairs = time_edit.pairs
        if len(pairs) > 1:
            check_prior(time_edit, prior)
        gate = WordGate(wake, parse_synonyms(synonyms), parse_words(alternatives) if prompt_wins else None)
        awake = gate.awake(text, pairs)
        conditioning = clip.encode_from_tokens_scheduled(clip.tokenize(text))
        if not awake:
            said = gate.put_to_sleep_by(text, gate.woken(text, pairs))
            note = f'asleep: the prompt says "{said}" itself' if said else "asleep: as CLIP Text Encode"
            return io.NodeOutput(conditioning, ui=ui.PreviewText(note))
        reader = TextReader(clip)
        if not time_edit.fingerprint.same_encoder(reader.fingerprint):
            raise ValueError(
                f"time_edit was computed with the text encoder {time_edit.fingerprint}, but clip is {reader.fingerprint}; "
                "connect the clip that the edit was computed with (LoRAs on it count), or compute the edit anew."
            )
        if len(awake) < len(pairs):
            equations = time_inputs.encoded(reader, None, time_inputs.CROSS_ATTENTION, part(time_edit, awake, prior))
            time_edit = interruptible(equations.edit, time_edit.settings.lamb)
        words = gate.woken_by(text, [pair.source for pair in awake])
        note = f"awake by: {', '.join(words) or 'nothing, it always is'}"
        if len(pairs) > 1:
            note += f" ({len(awake)} of {len(pairs)} pairs)"
        return io.NodeOutput(edit_conditioning(conditioning, time_edit, strength), ui=ui.PreviewText(note))
