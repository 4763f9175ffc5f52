"""Lists of a root scheme written by what they are made of: unions of other lists, and near repeats.

The list of an MDC is the union of the lists of its ADRGs, and the valid procedures are nearly that of
all of them; written out, they are half of the file. A list is composed only of lists that come
before it in the order of (size, name), so that a reader knows them when it comes to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEAST = 50  # codes: a shorter list is written out, for people to read
_GAIN = 3  # codes that a part must bring to be named


@dataclass(frozen=True)
class Composition:
    """A list as the union of ``parts``, without ``minus`` and with ``plus``."""

    parts: tuple[str, ...]
    minus: frozenset[str]
    plus: frozenset[str]

    @property
    def cost(self) -> int:
        """About how many lines it takes."""
        return len(self.parts) + len(self.minus) + len(self.plus)


def composed(lists: Mapping[str, frozenset[str]]) -> dict[str, Composition]:
    """The lists that are shorter by what they are made of, in an order in which they can be read.

    Depends on the lists alone, not on their order. Lists that equal an earlier one are left to the
    writer, which repeats them by name.
    """
    ordered = sorted(lists.items(), key=lambda item: (len(item[1]), item[0]))
    found: dict[str, Composition] = {}
    before: list[tuple[str, frozenset[str]]] = []
    seen: dict[frozenset[str], str] = {}
    for name, codes in ordered:
        twin = seen.setdefault(codes, name)
        if twin != name:
            if twin in found:
                found[name] = Composition((twin,), frozenset(), frozenset())
            continue
        if len(codes) >= LEAST:
            best = min((_union(codes, before), _nearest(codes, before)), key=lambda made: made.cost)
            if 2 * best.cost < len(codes):
                found[name] = best
        before.append((name, codes))
    return found


def _union(codes: frozenset[str], before: Sequence[tuple[str, frozenset[str]]]) -> Composition:
    """Parts of ``codes`` that cover it, the one that brings most first."""
    inside = [(name, part) for name, part in before if len(part) >= _GAIN and part < codes]
    left = set(codes)
    parts: list[str] = []
    while inside:
        number, name, part = max((len(part & left), name, part) for name, part in inside)
        if number < _GAIN:
            break
        parts.append(name)
        left -= part
    return Composition(tuple(sorted(parts)), frozenset(), frozenset(left))


def _nearest(codes: frozenset[str], before: Sequence[tuple[str, frozenset[str]]]) -> Composition:
    """The list that takes the fewest changes."""
    likely = [(len(codes ^ other), name, other) for name, other in before if 2 * len(other) > len(codes)]
    if not likely:
        return Composition((), frozenset(), codes)
    _, name, other = min(likely, key=lambda item: item[:2])
    return Composition((name,), other - codes, codes - other)
