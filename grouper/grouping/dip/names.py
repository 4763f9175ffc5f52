"""Names of entries that print none, composed of the names of their diagnosis and operations."""

from __future__ import annotations

from dataclasses import replace

from grouper.codes import icd
from grouper.grouping.dip.tables.packets import Term
from grouper.grouping.dip.tables.rules import Rule

_ENDINGS = ("", "00", "X00", ".X00", ".900", ".000")  # of the code that stands for a whole beginning
_STILL = "保守治疗"


class Names:
    """The names of the code lists, by codes in capitals and by beginnings of diagnoses."""

    def __init__(self) -> None:
        self._diagnoses = {code.upper(): name for code, name in icd.diagnoses().items()}
        self._procedures = {code.upper(): name for code, name in icd.procedures().items()}
        self._first: dict[str, str] = {}
        for code, name in self._diagnoses.items():
            self._first.setdefault(code[:3], name)
            self._first.setdefault(code[:5], name)

    def rule(self, rule: Rule) -> Rule:
        """A rule with a name: its own, or one composed."""
        if rule.row.name:
            return rule
        packet = rule.packet
        row = replace(rule.row, name=self._composed(rule))
        return replace(rule, packet=replace(packet, rows=(row, *packet.rows[1:])))

    def _composed(self, rule: Rule) -> str:
        """``诊断伴其他诊断（耐药）：手术＋手术``; of several alternatives the first, and 等."""
        head = self._diagnosis(rule.dx) if rule.dx else ""
        for term in (*rule.other_dx, *rule.any_dx):
            head += f"伴{self._diagnosis(term)}"
        for listed, word in ((rule.listed, ""), (rule.not_listed, "非")):
            head += f"（{word}{listed.name}）" if listed else ""
        terms = (*rule.packet.main, *rule.packet.related)
        return f"{head}：{'＋'.join(self._operation(term) for term in terms) or _STILL}"

    def _diagnosis(self, term: Term) -> str:
        first = term[0]
        name = next(
            (self._diagnoses[first + end] for end in _ENDINGS if first + end in self._diagnoses),
            self._first.get(first, first),
        )
        return f"{name}等" if len(term) > 1 else name

    def _operation(self, term: Term) -> str:
        name = self._procedures.get(term[0].upper(), term[0])
        return f"{name}等" if len(term) > 1 else name
