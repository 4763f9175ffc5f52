"""Tables on a terminal: columns in line, wide characters counted as two."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence


def width(text: str) -> int:
    """The cells that a text takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = (), indent: str = "") -> Iterator[str]:
    """The rows as lines; columns with a number in ``right`` are set to the right."""
    widths = [max(width(row[n]) for row in rows) for n in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = [
            " " * (size - width(text)) + text if n in right else text + " " * (size - width(text))
            for n, (text, size) in enumerate(zip(row, widths, strict=True))
        ]
        yield (indent + "  ".join(cells)).rstrip()
