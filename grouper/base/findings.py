"""What a check of tables has to say: one finding per place, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
SEVERITY_ZH = {"error": "错误", "warning": "警告", "info": "说明"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark on tables.

    ``kind`` is a stable name for programs (``unreachable-drg``); ``place`` says where: a group,
    a file and line, or a workbook cell such as ``ADRG!E7``; ``details`` holds the codes or
    names that the text only counts.
    """

    severity: Severity
    kind: str
    scheme: str
    place: str
    zh: str
    en: str
    details: tuple[str, ...] = ()

    def text(self, lang: str) -> str:
        """The finding as one line in ``lang`` ("zh" or "en")."""
        if lang == "en":
            return f"{self.severity}: {self.scheme} {self.place}: {self.en}"
        return f"{SEVERITY_ZH[self.severity]}：{self.scheme} {self.place}：{self.zh}"

    def as_dict(self) -> dict[str, Any]:
        """The finding for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether some finding is an error."""
    return any(finding.severity == "error" for finding in findings)


def count_by_severity(findings: Iterable[Finding]) -> dict[str, int]:
    """Number of findings of each severity, all three named."""
    counts: dict[str, int] = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        counts[finding.severity] += 1
    return counts
