"""An explanation as data in one language: lists with titles, sizes and codes, for pages and programs.

The keys are the same for every family (grouper.grouping.family.Family.details).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grouper.grouping.drg.conditions import In, Or
from grouper.grouping.drg.describing import SUBJECTS, list_words, lists_in
from grouper.grouping.drg.evaluate import SeverityHit
from grouper.grouping.drg.explanation import CodeStep, Explanation, NearMiss, Tried, Writer, marked_words


class Details(Writer):
    """The details of one explanation, "zh" or "en"."""

    def __init__(self, explanation: Explanation, lang: str) -> None:
        super().__init__(explanation, lang)
        self.recorded = frozenset(step.code for step in explanation.codes)

    def as_dict(self) -> dict[str, Any]:
        e = self.e
        return {
            "summary": e.summary(self.lang).splitlines(),
            "codes": [self.code(step) for step in e.codes],
            "because": [
                {
                    "place": self.say(*SUBJECTS[item.subject]),
                    "code": item.code,
                    "name": self.name_of(item.code),
                    "list": self.list(item.list),
                }
                for item in e.because
            ],
            "complications": [self.complication(hit) for hit in e.severity],
            "path": list(self.path()),
            "near": [self.close(miss) for miss in self.joined()],
            "retried": list(e.retried),
            "warnings": list(self.untested_lines()),
        }

    def name_of(self, code: str) -> str:
        return next((step.name for step in self.e.codes if step.code == code), "")

    def code(self, step: CodeStep) -> dict[str, Any]:
        return {
            **self.code_data(step),
            "mark": step.mark,
            "mark_text": marked_words(step.mark, self.lang),
            "instead": [
                {"code": o.code, "name": o.name, "group": o.drg, "group_name": o.drg_name}
                for o in step.instead
            ],
        }

    def list(self, name: str) -> dict[str, Any]:
        """A list of codes: its title, its size, the recorded codes in it, and some of its codes."""
        found, codes = self.e.lists.named(name), self.e.lists.codes.get(name, ())
        return {
            "name": name,
            "title": list_words(name, self.lang),
            "size": found.size,
            "matching": sorted(code for code in self.recorded if code in codes),
            "samples": _samples(found.samples),
        }

    def complication(self, hit: SeverityHit) -> dict[str, Any]:
        """``excluded_by``: the principal diagnosis that the exclusion table holds, None where it counts."""
        table = self.e.tables.named(hit.table)
        return {
            "code": hit.code,
            "name": self.name_of(hit.code),
            "levels": sorted(hit.levels, reverse=True),
            "counts": not hit.excluded,
            "excluded_by": self.e.codes[0].code if hit.excluded else None,
            "table": {"name": hit.table, "size": table.size, "samples": _samples(table.samples)},
            "text": self.hit(hit),
        }

    def path(self) -> Iterator[Mapping[str, Any]]:
        """What was tried, in order: MDCs with their ADRGs, the DRGs, and MDCs that a number kept away."""
        for step in self.e.mdcs:
            yield self.tried("mdc", step.mdc)
            yield from (self.tried("adrg", tried) for tried in step.adrgs)
        yield from (self.tried("drg", tried) for tried in self.e.groups)
        for tried in self.e.refused:
            by_list = any(isinstance(part, In | Or) for part in tried.failing)
            if not tried.idle and (tried.truth is None or not by_list):
                yield self.tried("mdc", tried)

    def tried(self, level: str, tried: Tried) -> dict[str, Any]:
        parts = (tried.condition,) if tried.truth is True else tried.failing
        return {
            "level": level,
            "code": tried.code,
            "name": tried.name,
            "holds": tried.truth,
            "text": self.say("；", "; ").join(self.described(part) for part in parts),
            "lists": [self.list(name) for name in lists_in(*parts)],
        }

    def close(self, miss: NearMiss) -> dict[str, Any]:
        return {
            "kind": miss.kind,
            "group": miss.code,
            "name": miss.name,
            "code": miss.instead or None,
            "of": miss.of or None,
            "samples": _samples(miss.samples),
            "text": self.near(miss),
        }


def _samples(found: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"code": code, "name": name} for code, name in found]
