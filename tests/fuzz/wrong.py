"""Values that nobody should send and somebody will, for inputs that are typed or chosen; and texts that are unusual."""

import math
from typing import Any

from comfy_api.latest import io

NUMBERS = (math.nan, math.inf, -math.inf, 1e30, -1e30, 10**400, "1", "", b"1", None, [1], 1j, -0.0, 0.5, 5e-324)

TEXTS = (
    "",
    " ",
    "\n\n",
    "a rose",
    "a red rose\na blue rose",
    "a \ud83d rose",
    "\udc00",
    "(" * 3000 + "a" + ")" * 3000,
    "(" * 99 + "a" + ")" * 99,
    "(a rose:1.2)",
    "(a rose:nan)",
    "((a)) [b] \\(c\\)",
    "a rose | 2",
    "a rose | nan",
    "a rose | 1e999",
    "a rose | -1",
    "| 2",
    "a [blue] rose",
    "a [blue rose",
    "a ]blue[ rose",
    "embedding:none",
    "embedding:../../none",
    "<|endoftext|>",
    "<|startoftext|> a",
    "{a|b} rose",
    "{concept}",
    "a" * 5000,
    "a " * 400,
    "\x00",
    "a\x00b",
    "a\u2028b\x85c\x0bd",
    "\u202eesor a",
    "玫瑰 🌹 गुलाब",
    "\u0301\u0301",
    "%s %d {0} $HOME `ls`",
    "<script>alert(1)</script>",
    "../../escape",
    "/etc/escape",
    "a/../../b",
    "CON",
    "nul.txt",
    "a:b",
    ".hidden",
    "a/b/c/d",
    "x" * 300,
    "e\u0301cole",
    "0-5, 9",
    "down, up",
    "-1",
    "99999999999999999999",
    "0-99999999999999999999",
    "all, none",
)
STROKES = (
    "add 1 5000,5000",
    "remove 1 0,10000",
    "paint 1 1 0,0 10000,10000",
    "erase 1 10000 5000,5000",
    "paint 1 400 2500,2500 7500,2500 7500,2500; remove 1 2500,2500; add 1 2500,2500",
    "; ".join(["paint 1 700 0,0 10000,5000 0,10000"] * 50),
)
NO_STROKES = (
    ";",
    "add 1 5000,5000;",
    "add 0 1,1",
    "add 2.0 1,1",
    "add 99999 1,1",
    "add 1.99999 1,1",
    "add 1 10001,1",
    "paint 1 0 1,1",
    "paint 1 99999 1,1",
    "paint 1 9 1,1 1",
    "paint 1 9 -1,1",
    "paint 1 9 1e3,1",
    "paint 1 9 nan,inf",
    "paint 1 " + "9" * 5000 + " 1,1",
    "paint 1 9" + " 1,1" * 5000 + " 1",
    "[[0, 1], {}]",
)
NO_TEXTS: tuple[Any, ...] = (5, b"a rose", None, ["a rose"], {"a": 1}, 1.5)

CHOICES: tuple[Any, ...] = ("", "no such option", "\ud83d", None, 5, ["a"], {}, "../../escape", "\x00")


def numbers(one: io.Int.Input | io.Float.Input) -> tuple[Any, ...]:
    """Around and beyond the bounds of `one`, and what is no number."""
    bounds = [one.min, one.max] if one.min is not None and one.max is not None else []
    around = [value for bound in bounds for value in (bound - 1, bound + 1, bound * 2, -bound)]
    return (*around, *NUMBERS)
