"""The text fields of the TIME nodes as prompts."""


def parse_lines(text: str) -> tuple[str, ...]:
    """The non-empty lines of `text`, without surrounding blanks."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def parse_pairs(source: str, destination: str) -> tuple[tuple[str, str], ...]:
    """Pair line i of `source` with line i of `destination`; blank lines at the end are ignored.

    Raises ValueError if the numbers of lines differ, a line is empty, or a pair says the same twice.
    """
    sources = [line.strip() for line in source.rstrip().splitlines()]
    destinations = [line.strip() for line in destination.rstrip().splitlines()]
    for name, lines in (("source", sources), ("destination", destinations)):
        if not lines:
            raise ValueError(f"{name} is empty; write one prompt a line.")
        if "" in lines:
            raise ValueError(f"{name}: line {lines.index('') + 1} is empty; write a prompt there or remove the line.")
    if len(sources) != len(destinations):
        raise ValueError(
            f"source has {len(sources)} lines and destination has {len(destinations)}; "
            "line i of one belongs to line i of the other, so both need the same number."
        )
    for number, (old, new) in enumerate(zip(sources, destinations, strict=True), start=1):
        if old == new:
            raise ValueError(
                f"source and destination are equal in line {number} ({old!r}), so there is nothing to edit; "
                "to keep a prompt as it is, put it into preserve."
            )
    return tuple(zip(sources, destinations, strict=True))


def augment(prompt: str, augmentations: tuple[str, ...]) -> list[str]:
    """The prompt itself, then the prompt after each beginning ("A photo of" + "a pack of roses").

    A leading capital "A" is lower-cased behind a beginning, as in the authors' code.
    """
    base = "a" + prompt[1:] if prompt.startswith("A") else prompt
    return [prompt] + [f"{beginning.strip()} {base}" for beginning in augmentations]
