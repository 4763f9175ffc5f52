"""Checks of coding quality: rules as data, over a record, a file or the stays of a month.

for finding in check_record(record, "chs-drg-2.0"):
    print(finding.severity, finding.text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grouper.base.lazy import lazy

if TYPE_CHECKING:
    from grouper.checks.files import CheckSummary, check_files, check_lake
    from grouper.checks.record import Checked, Finding, check_record, checked
    from grouper.checks.rules import Rule, Rules, load_rules

__all__ = [
    "CheckSummary",
    "Checked",
    "Finding",
    "Rule",
    "Rules",
    "check_files",
    "check_lake",
    "check_record",
    "checked",
    "load_rules",
]

_HOME = {
    "Rule": "rules",
    "Rules": "rules",
    "load_rules": "rules",
    "Finding": "record",
    "Checked": "record",
    "check_record": "record",
    "checked": "record",
    "CheckSummary": "files",
    "check_files": "files",
    "check_lake": "files",
}

__getattr__, __dir__ = lazy(__name__, _HOME)
