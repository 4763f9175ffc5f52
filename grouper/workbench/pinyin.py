"""How names are read: syllables and initials of Chinese characters, from ``tables/icd/pinyin.csv``.

A character that the names read in several ways is found by each of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import product

from grouper.codes.icd import read_columns

_MOST = 8  # ways to read one name


@cache
def syllables() -> dict[str, tuple[str, ...]]:
    """Character -> its syllables, the most frequent first."""
    characters, read = read_columns("pinyin", "character,syllables")
    return {char: tuple(text.split(" ")) for char, text in zip(characters, read, strict=True)}


def read(name: str) -> tuple[list[str], list[str]]:
    """The ways to read a name: initials (``ngs``), and whole syllables (``naogengsi``); other letters and
    digits stand for themselves, signs for nothing."""
    table = syllables()
    parts = [table.get(char) or ((char.casefold(),) if char.isalnum() else ()) for char in name]
    ways = _first(product(*(part for part in parts if part)))
    initials = dict.fromkeys("".join(syllable[0] for syllable in way) for way in ways)
    return list(initials), list(dict.fromkeys("".join(way) for way in ways))


def _first(ways: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [way for way, _ in zip(ways, range(_MOST), strict=False)]
