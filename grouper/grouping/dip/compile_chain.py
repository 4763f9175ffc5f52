"""The chain of a catalogue as the kernel's arrays: rules by main diagnosis, and lists of diagnoses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from grouper.grouping.dip.tables.packets import Term
from grouper.grouping.dip.tables.rules import (
    BEGINNING,
    CONSERVATIVE,
    EXCLUSION,
    IN_SCOPE,
    NOT_MAIN,
    Chain,
    stands_in,
)


class ChainNumbers:
    """Numbers of a chain.

    What a diagnosis means for the chain hangs on the longest text of the chain that it begins with, or
    that it is: each such text ("node") has one set of rules and one set of lists.
    """

    def __init__(self, chain: Chain) -> None:
        self.data = chain
        self.lists: dict[frozenset[str], int] = {}
        self.steps = [*chain.steps, *{rule.step: 0 for rule in chain.overlay}]
        needs = [need for rule in chain.every for need in rule.needs]
        terms = [term for need in needs for term in (need.main, need.other) if term is not None]
        for term in (*terms, *chain.exclusions.in_scope.values()):
            self.lists.setdefault(frozenset(term), len(self.lists))
        self._rules = _Nodes(chain.beginnings, chain.under)
        self._marks = _Nodes(
            {code for codes in self.lists for code in codes},
            lambda code: tuple(n for codes, n in self.lists.items() if stands_in(code, codes)),
        )

    def diagnosis(self, code: str) -> tuple[int, int, int]:
        """Its set of rules as main diagnosis, its set of lists, and whether it is excluded."""
        return self._rules.of(code), self._marks.of(code), int(self.data.excludes_diagnosis(code))

    def arrays(self) -> dict[str, Any]:
        """The arrays named in dip_tables.pxd."""
        rules = self.data.every
        needs = [need for rule in rules for need in rule.needs]
        return {
            "chain": [int(step != EXCLUSION) for step in self.data.steps],
            "link_place": [self.steps.index(rule.step) for rule in rules],
            "link_class": [rule.treatment for rule in rules],
            "link_main": [int(rule.main_only) for rule in rules],
            "link_days": [limit for rule in rules for limit in rule.age_days or (-1, -1)],
            "link_weight": [limit for rule in rules for limit in rule.weight or (-1, -1)],
            "link_need": _starts(rule.needs for rule in rules),
            "need_main": [self._number(need.main) for need in needs],
            "need_other": [self._number(need.other) for need in needs],
            "need_not": [int(need.denied) for need in needs],
            "node_start": _starts(self._rules.sets),
            "node_link": [number for numbers in self._rules.sets for number in numbers],
            "mark_start": _starts(self._marks.sets),
            "marks": [mark for marks in self._marks.sets for mark in marks],
        }

    def _number(self, term: Term | None) -> int:
        return -1 if term is None else self.lists[frozenset(term)]

    def barring(self, code: str, exact: bool) -> int:
        """The flags of an operation that may not be every case's main one (dip_tables.pxd)."""
        how, scope = self.data.exclusions.of_procedure(code, exact)
        if how == IN_SCOPE:
            return (1 + self._number(scope)) << 8
        return {CONSERVATIVE: 16, NOT_MAIN: 32}.get(how, 0)


class _Nodes:
    """A set of numbers for each of some texts, equal sets numbered once; set 0 is that of no text."""

    def __init__(self, texts: Iterable[str], of: Callable[[str], tuple[int, ...]]) -> None:
        numbers: dict[tuple[int, ...], int] = {of(""): 0}
        self._node = {text: numbers.setdefault(of(text), len(numbers)) for text in sorted(texts)}
        self.sets = list(numbers)

    def of(self, code: str) -> int:
        """The set of a code: by itself, or by the longest beginning that counts."""
        node = self._node
        if not node:  # most catalogues have no chain, and each has 33,000 diagnoses
            return 0
        for text in (code, *(code[:n] for n in range(BEGINNING, 2, -1))):
            if text in node:
                return node[text]
        return 0


def _starts(groups: Iterable[Iterable[object]]) -> list[int]:
    found = [0]
    for group in groups:
        found.append(found[-1] + len(list(group)))
    return found
