"""The words that explanations of all families share, Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grouper.base.reasons import REASONS, STATUS_NAMES, STATUS_ZH
from grouper.codes.book import ISSUES
from grouper.grouping.explaining import CodeStep, issue_words

# What a record's numbers are called, by their canonical columns.
NUMBERS = {
    "sex": ("性别", "sex"),
    "age_years": ("年龄（岁）", "age (years)"),
    "age_days": ("天龄", "age in days"),
    "birth_weight_g": ("出生体重（克）", "birth weight (g)"),
    "admission_weight_g": ("入院体重（克）", "weight on admission (g)"),
    "los_days": ("住院天数", "stay (days)"),
    "discharge_way": ("离院方式", "way of discharge"),
    "icu_hours": ("重症监护（小时）", "ICU hours"),
    "total_cost": ("总费用（元）", "total cost (yuan)"),
}


class Writer:
    """Lines of an explanation in one language, "zh" or "en"."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def say(self, zh: str, en: str) -> str:
        return en if self.lang == "en" else zh

    def place(self, step: CodeStep) -> str:
        """Where a code stands in the record."""
        zh, en = ("诊断", "diagnosis") if step.kind == "diagnosis" else ("手术操作", "procedure")
        if step.position == 1:
            return self.say(f"主要{zh}", f"{'principal' if en == 'diagnosis' else 'main'} {en}")
        return self.say(f"其他{zh}{step.position - 1}", f"other {en} {step.position - 1}")

    def code_data(self, step: CodeStep) -> dict[str, Any]:
        """A code of the record as data: where it stands, and what it was taken for."""
        return {
            "kind": step.kind,
            "position": step.position,
            "place": self.place(step),
            "raw": step.raw,
            "code": step.code,
            "name": step.name,
            "issue": step.issue,
            "issue_text": issue_words(step.issue, self.lang),
        }

    def turned(self, step: CodeStep) -> str:
        """What a code was taken for, and why; "" where it came as it should."""
        if not step.issue:
            return ""
        arrow = f" → {step.code}" if step.code and step.code != step.raw else ""
        return f"{arrow} [{self.say(*ISSUES[step.issue])}]"

    def data_lines(self, numbers: Mapping[str, float], *more: str) -> Iterator[str]:
        """The numbers of the record, by canonical columns, and what else there is of it."""
        parts = [f"{self.say(*NUMBERS[name])} {value:g}" for name, value in numbers.items()]
        parts += more
        if parts:
            yield self.say("   资料：", "   Data: ") + self.say("；", "; ").join(parts)

    def five_lines(self, *told: str) -> Iterator[str]:
        """The summary: the five texts that a family has for them, each behind what it is."""
        names = (
            ("病组", "Group"), ("依据", "Because of"), ("并发症", "Complications"),
            ("差一步", "One step away"), ("问题", "Wrong"),
        )  # fmt: skip
        for (zh, en), text in zip(names, told, strict=True):
            yield self.say(f"{zh}：{text}", f"{en}: {text}")

    def verdict_lines(self, result: Mapping[str, Any]) -> Iterator[str]:
        """Status and reason."""
        status, code = result["status"] or "", result["reason"]
        shown = status if self.lang == "en" else STATUS_ZH[STATUS_NAMES.index(status)]
        reason = next(item for item in REASONS if item.code == code)
        yield self.say(f"   状态：{shown}，{reason.zh}", f"   status: {shown} ({code}), {reason.en}")
