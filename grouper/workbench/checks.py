"""The rules of coding on the record, by scheme: what they found, passed, and could not evaluate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from grouper.base.errors import GrouperError
from grouper.checks.record import Checked, Finding, checked_row, checker_of
from grouper.checks.rules import SEVERITIES
from grouper.workbench.door import Entered
from grouper.workbench.grouped import Grouping
from grouper.workbench.pricing import Pricing

LABEL = (
    "核查线索，规则未经核实，不是调高编码的建议",
    "leads for a check by rules that nobody has verified; never advice to code higher",
)


def checks_of(
    entered: Entered,
    groupings: Mapping[str, Grouping],
    pricings: Sequence[Pricing],
    alternatives: Mapping[str, Any] | None,
    day: date | None,
    lang: str,
) -> dict[str, Any]:
    """The checks of a record. The yuan of a correction is that of the alternative, where one was priced; a
    record that cannot be checked says so under ``error``, and no rule counts as passed."""
    items = []
    for id_, grouping in groupings.items():
        mine = [pricing for pricing in pricings if pricing.scheme == id_]
        area = next((p.policy.area for p in mine if p.policy), "")
        checker = checker_of(grouping.grouper, area, day, lang)
        error = None
        try:
            done = checked_row(checker, entered.checkable, entered.batch)
        except GrouperError as found:
            error = found.text(lang)
            done = Checked((), (), tuple(rule.id for rule in checker.rules.of("record")))
        items.append(
            {
                "scheme": id_,
                "findings": [_told(f, _worth(f, alternatives, mine), lang) for f in done.findings],
                "passed": list(done.passed),
                "not_evaluated": list(done.not_evaluated),
                "error": error,
            }
        )
    return {"label": LABEL[lang == "en"], "items": items}


def _told(finding: Finding, money: list[dict[str, Any]], lang: str) -> dict[str, Any]:
    """A finding as plain data, with its yuan by policy."""
    told = finding.as_dict() | {"money": money, "severity_text": SEVERITIES[finding.severity][lang == "en"]}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


def _worth(
    finding: Finding, alternatives: Mapping[str, Any] | None, pricings: Sequence[Pricing]
) -> list[dict[str, Any]]:
    """Policy and difference in yuan of the correction that a finding names."""
    kind, _, code = (finding.correction or "").partition("=")
    known = {pricing.id for pricing in pricings}
    for item in alternatives["items"] if alternatives and code else ():
        if (item["kind"], item["code"]) == (kind, code):
            return [
                {"policy": price["policy"], "difference": price["difference"]}
                for price in item["prices"]
                if price["policy"] in known and price["difference"] is not None
            ]
    return []
