"""Inputs made up by hypothesis, by the thousand, for every node and every file that the pack reads.

A *family* is a node or a kind of file. `python -m fuzz` (`make fuzz`) runs all of them, `test_fuzz.py` a few examples of each.

Read `inputs` (what a node is given, derived from its schema: a new node is a family without a line here), with `objects` (the
host's real objects, tiny) and `wrong` (values that nobody should send); `bar` (what each example has to hold) with `outputs`
(what a proper result is); `files` (the kinds of files); `families`.
"""
