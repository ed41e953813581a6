"""The picture that the demo edits is kept in files: they show what is drawn today, and what the demo says of it."""

import numpy as np
from naturalworld.edits import natural_edit
from naturalworld.reading import read

from tools.pictures import given
from tools.pictures.subject import subject
from tools.workflows.examples import BLUE_ROSE, EXAMPLES, RED_ROSE


def test_the_files_are_as_they_are_drawn():
    for path, picture in given.drawn().items():
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(given.Image.open(path)), str(path))


def test_it_shows_what_the_prompts_say():
    edit = natural_edit(given.SPLIT, given.NUMBER)
    assert (edit.source, edit.target) == (RED_ROSE, BLUE_ROSE)
    assert (edit.kind, edit.size) == ("colour", "middle") and given.SPLIT != "test"
    assert given.given_pixels().shape == (given.SIZE, given.SIZE, 3) and given.given_truth().any()


def test_every_prompt_names_something_of_this_world():
    what = subject({})
    prompts = [what.source, what.destination, *what.related, *what.unrelated, what.picture_shows, what.picture_shall_show]
    for example in EXAMPLES.values():
        if example.natural is not None:
            encoded = [node["inputs"].get("text") for node in example.for_natural_world().nodes.values()]
            prompts += [text for text in encoded if text]  # the negative ones are empty
    assert all(read(prompt).nouns for prompt in prompts), prompts
