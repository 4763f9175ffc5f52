"""The chain of a catalogue as the kernel's arrays: rules by main diagnosis, and lists of diagnoses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from grouper.grouping.dip.tables.packets import Term
from grouper.grouping.dip.tables.rules import BEGINNING, EXCLUSION, Chain, Rule, stands_in


class ChainNumbers:
    """Numbers of a chain.

    What a diagnosis means for the chain hangs on the longest text of the chain that it begins with, or
    that it is: each such text ("node") has one set of rules and one set of lists.
    """

    def __init__(self, chain: Chain) -> None:
        self.data = chain
        self.lists: dict[frozenset[str], int] = {}
        for rule in chain.rules:
            for term in (*rule.other_dx, *rule.any_dx):
                self.lists.setdefault(frozenset(term), len(self.lists))
        self._rules = _Nodes(chain.beginnings, lambda code: chain.under(code))
        self._marks = _Nodes(
            {code for codes in self.lists for code in codes},
            lambda code: tuple(n for codes, n in self.lists.items() if stands_in(code, codes)),
        )

    def diagnosis(self, code: str) -> tuple[int, int, int]:
        """Its set of rules as main diagnosis, its set of lists, and whether it is excluded."""
        return self._rules.of(code), self._marks.of(code), int(self.data.excludes_diagnosis(code))

    def arrays(self) -> dict[str, Any]:
        """The arrays named in dip_tables.pxd."""
        rules = self.data.rules
        needs = [[*self._needs(rule)] for rule in rules]
        return {
            "chain": [int(step != EXCLUSION) for step in self.data.steps],
            "link_place": [self.data.steps.index(rule.step) for rule in rules],
            "link_class": [rule.treatment for rule in rules],
            "link_main": [int(rule.main_only) for rule in rules],
            "link_days": [limit for rule in rules for limit in rule.age_days or (-1, -1)],
            "link_weight": [limit for rule in rules for limit in rule.weight or (-1, -1)],
            "link_need": _starts(needs),
            "need_mark": [mark for some in needs for mark, _ in some],
            "need_other": [other for some in needs for _, other in some],
            "node_start": _starts(self._rules.sets),
            "node_link": [number for numbers in self._rules.sets for number in numbers],
            "mark_start": _starts(self._marks.sets),
            "marks": [mark for marks in self._marks.sets for mark in marks],
        }

    def _needs(self, rule: Rule) -> Iterable[tuple[int, int]]:
        """Each list that some diagnosis must be in, and 1 where it must be a secondary one."""

        def number(term: Term) -> int:
            return self.lists[frozenset(term)]

        yield from ((number(term), 1) for term in rule.other_dx)
        yield from ((number(term), 0) for term in rule.any_dx)


class _Nodes:
    """A set of numbers for each of some texts, equal sets numbered once; set 0 is that of no text."""

    def __init__(self, texts: Iterable[str], of: Callable[[str], tuple[int, ...]]) -> None:
        numbers: dict[tuple[int, ...], int] = {of(""): 0}
        self._node = {text: numbers.setdefault(of(text), len(numbers)) for text in sorted(texts)}
        self.sets = list(numbers)

    def of(self, code: str) -> int:
        """The set of a code: by itself, or by the longest beginning that counts."""
        for text in (code, *(code[:n] for n in range(BEGINNING, 2, -1))):
            if text in self._node:
                return self._node[text]
        return 0


def _starts(groups: Iterable[Iterable[int] | Iterable[tuple[int, int]]]) -> list[int]:
    found = [0]
    for group in groups:
        found.append(found[-1] + len(list(group)))
    return found
