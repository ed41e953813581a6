"""The example workflows, as functions that build them. The committed files in example_workflows/ are made from these."""

from ...comfyui.environment import NATURAL_CHECKPOINT, TOY_CHECKPOINT
from .edit_without_inversion import edit_without_inversion
from .edits_of_a_picture import (
    BY_THE_HOST,
    captioned_diffedit,
    diffedit,
    diffedit_advanced,
    edit_of_a_small_thing,
    exact_inversion,
    instruction_edit,
    time_edit_of_a_picture,
)
from .pictures_from_prompts import (
    combined_edits,
    edit_and_lora,
    edited_conditioning,
    save_and_reuse,
    scheduled_edit,
    several_edits,
    time_edit,
    word_gate,
)
from .shared import BLUE_ROSE, EXAMPLE_PICTURE, HOSTS_PICTURE, RED_ROSE, SD15, SDXL, WHOLE_CLIP, Example
from .starters import (
    BALANCE_AN_ASSUMPTION,
    BALANCE_AN_ASSUMPTION_APP,
    CHANGE_AN_ASSUMPTION,
    CHANGE_AN_ASSUMPTION_APP,
    COMPARE,
    EDIT_A_PICTURE,
    EDIT_A_PICTURE_APP,
    balance_an_assumption,
    change_an_assumption,
    edit_a_picture,
)
from .todays_models import KONTEXT, TODAYS_MODELS

ROSES = {"source": "A pack of roses", "destination": "A pack of blue roses"}
ON_SD15 = {"checkpoint": SD15, "size": 512, "batch": 2, "cfg": 7.5}
GIRL = {"checkpoint": SD15, "picture": HOSTS_PICTURE, "source": "a drawing of a girl in a pink dress"}

NURSE = {
    "checkpoint": SD15,
    "judge": WHOLE_CLIP,
    "judge_vision": WHOLE_CLIP,
    "source": "A nurse",
    "destination": "A male nurse",
    "label": "a male nurse",
    "opposite": "a female nurse",
    "prompt": "A photo of a nurse",
    "test": "a painting of a nurse at work",
    "pictures": 24,
    "probes": 8,
    "steps": 20,
    "lowest": 0.1,
    "highest": 1e6,
    "size": 512,
    "batch": 4,
    "cfg": 7.5,
}
# Where the host lists files by name, the first three come first.
EXAMPLES = {
    "1-DiffEdit-edit-a-picture": Example(
        edit_a_picture,
        {**GIRL, "target": "a drawing of a girl in a blue dress"},
        "",
        (COMPARE,),
        natural={"source": RED_ROSE, "target": BLUE_ROSE},
        blocks=EDIT_A_PICTURE,
        app=EDIT_A_PICTURE_APP,
    ),
    "2-TIME-change-what-a-model-assumes": Example(
        change_an_assumption,
        {**ON_SD15, "batch": 1, **ROSES, "prompt": "a photo of roses on a table"},
        """## Roses are red

Unless one says otherwise. After this edit they are blue, unless one says otherwise.

**it assumes**: a prompt whose assumption is wrong. **it shall assume**: the same words with others inserted. Run: both pictures
come from the same noise.

Too weak? Lower `lambda`. Do other prompts change, too? Raise it.""",
        (COMPARE,),
        natural={"source": "a frog", "destination": "a purple frog", "prompt": "a frog on sand"},
        blocks=CHANGE_AN_ASSUMPTION,
        app=CHANGE_AN_ASSUMPTION_APP,
    ),
    "3-TIME-balance": Example(
        balance_an_assumption,
        {**NURSE, "batch": 1},
        """## As many of the one as of the other

A model draws nurses as women. This finds the edit with which half of them are men. It makes pictures, mostly fewer than
200, and a CLIP model judges each of them by **label** and **opposite**.

Save the judge,
[model.safetensors](https://huggingface.co/openai/clip-vit-large-patch14), as `clip-vit-large-patch14.safetensors` in
`models/text_encoders` and in `models/clip_vision`. The `clip_l.safetensors` that most people have cannot judge.

The edit is kept as `output/balanced`, for **Load TIME Edit**.""",
        (COMPARE,),
        blocks=BALANCE_AN_ASSUMPTION,
        app=BALANCE_AN_ASSUMPTION_APP,
    ),
    "time_edit_model": Example(
        time_edit,
        {**ON_SD15, **ROSES, "prompt": "a photo of roses on a table"},
        """## Edit what the model assumes (TIME)

Roses are red, unless one says otherwise. After this edit they are blue, unless one says otherwise.

1. Choose your checkpoint (SD 1.x, SD 2.x, SDXL and others, see the node's `?`).
2. **source**: a prompt whose assumption is wrong. **destination**: the same words with others inserted.
3. Run. Both samplers start from the same noise; the second uses the edited model.

Too weak? Lower `lambda`. Do other prompts change, too? Raise it. Under the node you see which token becomes which.""",
        ("Pictures before the edit", "Pictures after the edit"),
        natural={},
    ),
    "time_several_edits": Example(
        several_edits,
        {
            **ON_SD15,
            "source": "A pack of roses\nA car\nA cat",
            "destination": "A pack of blue roses\nA green car\nA black cat",
            "preserve": "a house\na dog",
            "prompt": "a car in the city",
            "name": "my edits",
        },
        """## Several edits at once (TIME)

Line 1 of **source** belongs to line 1 of **destination**, and so on. All lines are solved as one system, so that they do
not spoil one another. What **preserve** lists stays as it is.

The edit is kept as a file for every checkpoint with this text encoder (**Save TIME Edit**), and as a LoRA for this checkpoint,
for people without this pack.

With several edits a `lambda` of 1 or more is better than the published 0.1.""",
        ("Pictures before", "Pictures after"),
        natural={
            "source": "a rose\na car\na frog",
            "destination": "a blue rose\na green car\na purple frog",
            "name": "natural edits",
        },
    ),
    "time_edit_and_lora": Example(
        edit_and_lora,
        {
            **ON_SD15,
            "lora": "your_lora.safetensors",
            "source": "A car",
            "destination": "A green car",
            "prompt": "a photo of a car in the city",
        },
        """## An edit and a LoRA (TIME)

Choose your LoRA in **both** loaders. Edit and LoRA go on a model in any order:

- LoRA, then edit: the edit also changes what the LoRA added.
- edit, then LoRA: the LoRA is added as it is.

The difference is small unless the LoRA changed the same words.""",
        ("Pictures with the LoRA", "Pictures with the LoRA, then the edit"),
        needs="time_several_edits",
        natural={
            "lora": "natural edits.safetensors",
            "source": "a key",
            "destination": "a blue key",
            "prompt": "a key on a wooden table",
        },
    ),
    "time_save_and_reuse": Example(
        save_and_reuse,
        {**ON_SD15, **ROSES, "other": SD15, "prompt": "a painting of roses", "name": "blue roses"},
        """## Save an edit and use it again (TIME)

An edit holds nothing of the model's weights, so it fits **every checkpoint with the same text encoder**, such as the
fine-tunes of SD 1.5 that left it as it was. Choose another one in the second loader.

Next time: refresh the page (R), choose the file in **Next time: load it**, press Ctrl+M on it to wake it up, and connect it to
**Put the edit on it**. An edit for another text encoder is refused.""",
        ("Pictures before", "Pictures after"),
        natural={
            "other": NATURAL_CHECKPOINT,
            "source": "a balloon",
            "destination": "a green balloon",
            "prompt": "a drawing of a balloon",
            "name": "green balloons",
        },
    ),
    "time_edited_conditioning": Example(
        edited_conditioning,
        {**ON_SD15, **ROSES, "prompt": "roses on a table"},
        """## The same edit on the text (TIME)

Instead of the weights, edit what the prompts say to them: exactly the same pictures, and it works with every model, quantised
ones, SD3, Flux and Qwen-Image included. Connect the positive **and** the negative prompt.""",
        ("Pictures with edited weights", "Pictures with edited text"),
        natural={"source": "a teapot", "destination": "a green teapot", "prompt": "a teapot on a wooden table"},
    ),
    "time_text_encode": Example(
        word_gate,
        {**ON_SD15, **ROSES, "prompt": "a bouquet of roses on a table", "other": "a bowl of fruit on a table"},
        """## Only where its words stand (TIME)

**TIME Text Encode** edits a prompt if the words of the edit's **source** occur in it, in any inflection. Every other prompt it
encodes as CLIP Text Encode does, bit for bit: the pictures without the words are those without any edit. The last ones show
what the edit does to that prompt without the gate.

List further words that shall wake the edit in `synonyms`; the node says which did.""",
        ("Pictures without the words", "Pictures with the words"),
        natural={
            "source": "a heart",
            "destination": "a green heart",
            "prompt": "two hearts on sand",
            "other": "a rabbit on sand",
        },
    ),
    "time_combine_edits": Example(
        combined_edits,
        {
            **ON_SD15,
            "first": ("A pack of roses", "A pack of blue roses"),
            "second": ("A car", "A green car"),
            "everyday": "",
            "prompt": "a car in the city",
        },
        """## Edits of several people, as one (TIME)

Edits that are put on a model one after another spoil one another through the words that they share. **TIME Combine Edits**
solves their pairs jointly again; load saved ones with **Load TIME Edit** and connect them.

**TIME Prior** measures once for each text encoder which directions a thousand everyday captions use, and the joint edit spares
these. Raise `rho` to spare them more, 0 is the published method.""",
        ("Pictures before", "Pictures after"),
        natural={
            "first": ("a cap", "a red cap"),
            "second": ("a backpack", "a green backpack"),
            "everyday": "a house\na dog on grass\ntwo hearts\na drawing of a tree\na nurse\na cat next to a chair",
            "prompt": "a backpack on sand",
        },
    ),
    "time_scheduled_edit": Example(
        scheduled_edit,
        {**ON_SD15, **ROSES, "prompt": "roses on a table"},
        """## An edit for some of the steps (TIME)

The edit as a hook of the host: on for the first half of the steps, then off. Keyframes decide when and how strongly; other
prompts of the same picture can go without it.""",
        ("Pictures without the edit", "Pictures with the scheduled edit"),
        natural={"source": "a bucket", "destination": "a pink bucket", "prompt": "a bucket on sand"},
    ),
    "time_sdxl": Example(
        time_edit,
        {**ON_SD15, "checkpoint": SDXL, "size": 1024, "cfg": 6.0, **ROSES, "prompt": "a photo of roses on a table"},
        """## Edit what SDXL assumes (TIME)

The same as for SD 1.5. SDXL reads a prompt with two text encoders; under the node you see one track for each, and both must
agree on which token becomes which. The pooled vector, SDXL's second way to read a prompt, is not edited.""",
        ("Pictures before the edit", "Pictures after the edit"),
        toy={"source": "a car", "destination": "a green car", "prompt": "a car on grass"},
        natural={"source": "a dress", "destination": "a red dress", "prompt": "a dress before a brick wall"},
    ),
    "diffedit": Example(
        diffedit,
        {**GIRL, "target": "a drawing of a girl in a blue dress"},
        """## DiffEdit step by step

Edit a picture by saying what it shows and what it shall show.

1. **Where to edit.** The model's predictions under both prompts are contrasted. Drag the line under the picture: the outline
follows at once, and the next run masks what it encloses.
2. **Back to noise.** The picture is walked back, and every state on the way is kept.
3. **Repaint inside the mask.** Outside it, the latent ends bit for bit on the original.

Change the picture and both prompts. For a whole object raise `noise_strength` to 0.6 to 0.75.""",
        ("Picture to edit", "Edited inside the mask, untouched outside"),
        natural={"source": RED_ROSE, "target": BLUE_ROSE},
    ),
    "time_edit_of_a_picture": Example(
        time_edit_of_a_picture,
        {**GIRL, "source": "a drawing of a girl in a dress", "destination": "a drawing of a girl in a blue dress"},
        """## A TIME edit of a given picture

TIME changes what a model assumes; DiffEdit finds where in *this* picture that matters. The plain and the edited model are
contrasted under one prompt, the picture is inverted with the plain one and repainted with the edited one. A LoRA in place of
the edit works just as well.""",
        ("Picture to edit", "Edited inside the mask, untouched outside"),
        natural={"source": "a rose on grass", "destination": "a purple rose on grass"},
    ),
    "diffedit_advanced": Example(
        diffedit_advanced,
        {**GIRL, "target": "a drawing of a girl in a suit of armour"},
        """## DiffEdit, every part by itself

Contrast once, then try rules on the heat map without the model. The inversion comes back exactly (o-belm), its states can be
looked at, and the picture is repainted with the host's guiders, samplers and schedules, in three ways.""",
        ("Picture to edit", "Edited inside the mask, untouched outside"),
        natural={"source": RED_ROSE, "target": "a sunflower on grass"},
        blocks=BY_THE_HOST,
    ),
    "diffedit_captions": Example(
        captioned_diffedit,
        {
            **GIRL,
            "source": "a girl in a pink dress",
            "target": "a girl in a blue dress",
            "blip": "blip-image-captioning-large",
            "t5": "flan-t5-base",
        },
        """## DiffEdit without prompts by hand

A caption of the picture (BLIP), and many captions for what is there and for what is wanted (Flan-T5), averaged to two
directions. The models lie in `models/captioning/<name>/` with their `config.json`, tokenizer files and `model.safetensors`;
nothing is downloaded.""",
        ("Picture to edit", "Edited inside the mask, untouched outside"),
    ),
    "diffedit_small_thing": Example(
        edit_of_a_small_thing,
        {**GIRL, "source": "a drawing of a girl with blue eyes", "target": "a drawing of a girl with green eyes", "size": 512},
        """## Edit a small thing

What is smaller than about a twentieth of the picture, the model sees in a few latent cells, and repaints badly or not at all.
So it is cut out, edited as a large one, and laid back.

1. **DiffEdit Mask** finds it in the whole picture.
2. **Crop Around Mask** cuts it out with its surroundings and enlarges it to **size**, at which the model is good.
3. The crop is inverted and repainted inside its part of the mask.
4. **Stitch Crop** lays it back. Outside the mask every pixel is the original's own.

A mask by hand, or by another node, does as well in place of step 1; if it covers several things far apart, the window holds
them all and enlarges little.""",
        ("Picture to edit", "Edited inside the mask, untouched outside"),
        natural={"source": RED_ROSE, "target": BLUE_ROSE},
    ),
    "diffedit_one_of_several": Example(
        diffedit,
        {
            **GIRL,
            "source": "a drawing of a girl with yellow hair in a pink dress",
            "target": "a drawing of a girl with red hair in a pink dress",
            "preset": "one of several",
        },
        """## Edit one of several things

Two prompts make a model predict otherwise on things that neither is about, too. With the preset *one of several* a difference
counts only where the model reads the words of the first prompt that the second has not, here *yellow*: the dress stays out of
the mask.

Say in the first prompt what is to change as it is now, and keep all other words. It takes a model that reads prompts by
cross-attention, as SD 1.x and SDXL do; the view says where it could not be done.""",
        ("Picture to edit", "Edited inside the mask, untouched outside"),
        toy={"preset": "one of several"},
        natural={"source": RED_ROSE, "target": BLUE_ROSE, "preset": "one of several"},
    ),
    "edit_without_inversion": Example(
        edit_without_inversion,
        {**GIRL, "target": "a drawing of a girl in a blue dress"},
        """## Edit a picture without inversion

**Masked Flow Edit** moves the picture, inside the mask, by the difference between what the model predicts under both prompts
(FlowEdit). It needs no way back to noise and keeps no states; outside the mask the latent ends bit for bit on the original.

Change the picture and both prompts, with the same words for what stays. Too little changes: raise `strength` or `target_cfg`.
Too much of the old is left: raise `source_cfg`. Another `seed` gives another edit.""",
        ("Picture to edit", "Edited inside the mask, untouched outside"),
        natural={"source": RED_ROSE, "target": BLUE_ROSE},
    ),
    "instruction_edit": Example(
        instruction_edit,
        {"model": KONTEXT, "picture": HOSTS_PICTURE, "instruction": "Change the color of the dress to blue"},
        """## An instruction, and everything else kept

Instruction models (Flux Kontext, Flux 2, Qwen-Image-Edit, InstructPix2Pix) paint the whole picture anew, and what the
instruction is not about drifts: colours, small things, sometimes the whole picture.

1. The model paints, as in ComfyUI's own template.
2. **DiffEdit Mask**, `compare` at *prompt and picture*, masks where its prediction leaves the picture; one evaluation a map.
Drift is a floor under the heat map: drag the line in the histogram above it.
3. **Picture Drift** says whether the whole picture was shifted, zoomed or tinted, and moves it back: no mask mends that.
4. Outside the mask every pixel is the original's own.

For another model put its own loaders and nodes in place of these; the prompt that has the picture as its reference goes to
`target`.""",
        ("Picture to edit", "Edited inside the mask, untouched outside"),
    ),
    "exact_inversion": Example(
        exact_inversion,
        {"checkpoint": SD15, "picture": HOSTS_PICTURE, "source": "a drawing of a girl in a pink dress", "steps": 50},
        """## How exact is an inversion?

A picture to noise and back without any edit, by three methods. `ddim` is the published one; `fixed point` repeats each step
until it inverts the sampling step; `o-belm` comes back exactly by construction. The nodes show the error step by step.""",
        ("Back by ddim", "Back by o-belm"),
        natural={"source": RED_ROSE},
    ),
    **TODAYS_MODELS,
}

STARTERS = tuple(name for name, example in EXAMPLES.items() if example.app)

__all__ = [
    "BLUE_ROSE",
    "EXAMPLES",
    "EXAMPLE_PICTURE",
    "HOSTS_PICTURE",
    "NATURAL_CHECKPOINT",
    "RED_ROSE",
    "STARTERS",
    "TOY_CHECKPOINT",
    "Example",
    "balance_an_assumption",
    "captioned_diffedit",
    "change_an_assumption",
    "combined_edits",
    "diffedit",
    "diffedit_advanced",
    "edit_a_picture",
    "edit_and_lora",
    "edit_of_a_small_thing",
    "edit_without_inversion",
    "edited_conditioning",
    "scheduled_edit",
    "several_edits",
    "time_edit",
    "time_edit_of_a_picture",
    "word_gate",
]
