"""Measured tables as Markdown."""

from collections.abc import Callable, Mapping


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def table(
    head: str, rows: Mapping[str, Mapping[str, float | None]], show: Callable[[float], str] = lambda value: f"{value:.4g}"
) -> str:
    """A row an entry of `rows`, a column for every key that any of them has; empty where there is no value."""
    keys = list(dict.fromkeys(key for row in rows.values() for key in row))
    lines = [f"| {head} | ".replace("  ", " ") + " | ".join(keys) + " |", "|---" * (1 + len(keys)) + "|"]
    for name, row in rows.items():
        cells = ("" if row.get(key) is None else show(row[key]) for key in keys)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
