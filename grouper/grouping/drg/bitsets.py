"""Bitsets over the rows of a compiled scheme, and the classes of codes that share them.

A bitset is a Python int while it is built (bit i is row i), and words of 64 bits in the end.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence


class Slots:
    """For one position of the record: which rows a set of lists satisfies there.

    A row may ask several lists of the principal code; its first list stands in slot 0,
    its second in slot 1, and so on. A row without a list in a slot asks nothing there.
    """

    def __init__(self, rows: Sequence[Mapping[str, Sequence[str]]], subject: str) -> None:
        self.depth = max((len(row.get(subject, ())) for row in rows), default=0)
        everything = (1 << len(rows)) - 1
        self.need: list[dict[str, int]] = [{} for _ in range(self.depth)]
        self.free: list[int] = [everything] * self.depth
        self.everything = everything
        for number, row in enumerate(rows):
            for slot, name in enumerate(row.get(subject, ())):
                self.need[slot][name] = self.need[slot].get(name, 0) | 1 << number
                self.free[slot] &= ~(1 << number)

    def rows(self, held: Iterable[str]) -> int:
        """Rows that a code of the lists ``held`` satisfies, with those that ask nothing."""
        held = list(held)
        result = self.everything
        for need, free in zip(self.need, self.free, strict=True):
            here = free
            for name in held:
                here |= need.get(name, 0)
            result &= here
        return result

    def held(self, held: Iterable[str]) -> int:
        """Rows that ask for one of ``held`` (positions that any code of the record may fill)."""
        result = 0
        for name in held:
            result |= self.need[0].get(name, 0) if self.depth else 0
        return result

    def always(self) -> int:
        """Rows that ask nothing."""
        result = self.everything
        for free in self.free:
            result &= free
        return result


def code_classes(lists: Mapping[str, frozenset[str]], codes: Sequence[str]) -> tuple[list[int], array[int]]:
    """Masks over ``lists`` that occur, and for each code the number of its mask; class 0 is no list."""
    masks: dict[str, int] = {}
    for number, members in enumerate(lists.values()):
        bit = 1 << number
        for code in members:
            masks[code] = masks.get(code, 0) | bit
    numbers: dict[int, int] = {0: 0}
    of_code = array("i", [numbers.setdefault(masks.get(code, 0), len(numbers)) for code in codes])
    return list(numbers), of_code


def named(mask: int, names: Sequence[str]) -> list[str]:
    """The names whose bits are set."""
    held = []
    while mask:
        lowest = mask & -mask
        held.append(names[lowest.bit_length() - 1])
        mask ^= lowest
    return held


def words_of(value: int, words: int) -> array[int]:
    out = array("Q")
    out.frombytes(value.to_bytes(8 * words, "little"))
    return out


def joined(values: Iterable[int], words: int) -> array[int]:
    out = array("Q")
    out.frombytes(b"".join(value.to_bytes(8 * words, "little") for value in values))
    return out
