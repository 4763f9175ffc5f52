"""The answer about one record: plain data of a stable shape, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grouper.base.shown import Shown

FORMAT = "grouper.case/1"


@dataclass(frozen=True)
class CaseAnswer(Shown):
    """What is known of one record. All parts are plain data for JSON, whose keys docs/case.md has: amounts,
    weights and ratios are texts of decimals, and words are in ``lang``.

    ``record``: what was understood, changed and left out. ``missing``: what the record lacks, and what each
    lack keeps from being known. ``schemes``: its grouping by each scheme. ``prices``: its payment by each
    policy. ``alternatives``: the same record arranged otherwise; None where nobody asked. ``checks``: the
    findings of the rules of coding, by scheme.
    """

    lang: str
    record: Mapping[str, Any]
    missing: list[dict[str, Any]]
    schemes: list[dict[str, Any]]
    prices: list[dict[str, Any]]
    alternatives: Mapping[str, Any] | None
    checks: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def line(self) -> str:
        """What it is, in one line."""
        return (
            f"{len(self.schemes)} schemes, {len(self.prices)} policies, {len(self.missing)} missing; .text()"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with the name and number of its shape under ``format``."""
        return {
            "format": FORMAT,
            "lang": self.lang,
            "record": self.record,
            "missing": self.missing,
            "schemes": self.schemes,
            "prices": self.prices,
            "alternatives": self.alternatives,
            "checks": self.checks,
            "provenance": self.provenance,
        }

    def text(self) -> str:
        """The answer in words, in its language."""
        from grouper.workbench.words import told

        return "\n".join(told(self.as_dict()))
