"""The explanation of a record: its steps as data, and in words, Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grouper.grouping import explaining, words
from grouper.grouping.drg.compile import FIELDS, WEIGHTS
from grouper.grouping.drg.conditions import Condition, In, Or, to_text
from grouper.grouping.drg.describing import describe
from grouper.grouping.drg.evaluate import SeverityHit, Truth
from grouper.grouping.marks import MARKS


@dataclass(frozen=True)
class Sibling:
    """A specific code of the same subcategory (亚目), and the group that it would give in its place."""

    code: str
    name: str
    drg: str | None
    drg_name: str | None


@dataclass(frozen=True)
class CodeStep(explaining.CodeStep):
    """``mark``: "grey", or "not-for-grouping" where the scheme says so of it; ``instead``: the specific
    codes of its subcategory.
    """

    mark: str = ""
    instead: tuple[Sibling, ...] = ()


@dataclass(frozen=True)
class Tried:
    """A condition that was tried: MDC, ADRG or group; ``failing`` says what kept it from holding.

    ``idle``: data are lacking, but no ADRG of this MDC could hold with them either.
    """

    code: str
    name: str
    condition: Condition
    truth: Truth
    failing: tuple[Condition, ...] = ()
    idle: bool = False


@dataclass(frozen=True)
class MdcStep:
    """An MDC that took the record, and its ADRGs up to the one that held."""

    mdc: Tried
    adrgs: list[Tried] = field(default_factory=list)


@dataclass(frozen=True)
class NearMiss:
    """An ADRG that one part of its condition, or the choice of main procedure, kept away."""

    code: str
    name: str
    failing: Condition
    instead: str = ""  # the procedure that would have to be the main one


@dataclass(frozen=True)
class Explanation:
    """The steps of one record. ``result`` holds the result columns of the batch for it."""

    scheme: str
    weight: str  # which weight the scheme reads: "birth" or "admission"
    codes: list[CodeStep]
    numbers: dict[str, float]
    department: str | None
    severity: list[SeverityHit]
    refused: list[Tried]
    mdcs: list[MdcStep]
    groups: list[Tried]
    retried: list[str]
    near: list[NearMiss]
    result: dict[str, str | None]
    untested: list[Mapping[str, Any]] = field(default_factory=list)  # rows of [[untested_criteria]]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; conditions in the notation of the tables."""
        data: dict[str, Any] = explaining.plain(self, (Condition, to_text))
        return data

    def text(self, lang: str = "zh") -> str:
        """The explanation in words, "zh" or "en"."""
        return render(self, lang)


# --- words ----------------------------------------------------------------------------------


def render(explanation: Explanation, lang: str) -> str:
    """The whole explanation, one step under the other."""
    writer = _Writer(explanation, lang)
    return "\n".join(writer.lines())


class _Writer(words.Writer):
    def __init__(self, explanation: Explanation, lang: str) -> None:
        super().__init__(lang)
        self.e = explanation

    def described(self, condition: Condition) -> str:
        return describe(condition, self.lang, self.e.weight)

    def lines(self) -> Iterator[str]:
        yield self.say(f"方案：{self.e.scheme}", f"Scheme: {self.e.scheme}")
        yield from self.code_lines()
        yield from self.number_lines()
        if self.e.mdcs or self.e.refused:
            yield from self.severity_lines()
            yield from self.mdc_lines()
            yield from self.group_lines()
        yield from self.near_lines()
        yield from self.result_lines()

    def code_lines(self) -> Iterator[str]:
        yield self.say("一、编码", "1. Codes")
        for step in self.e.codes:
            yield f"   {self.place(step)} {step.raw}{self.turned(step)} {step.name}".rstrip()
            yield from (f"      {line}" for line in self.mark_lines(step))

    def mark_lines(self, step: CodeStep) -> Iterator[str]:
        """That the scheme does not use a code, and which codes beside it would give which group."""
        if not step.mark:
            return
        yield self.say(*MARKS[step.mark])
        for other in step.instead:
            group = f"{other.drg} {other.drg_name or ''}".strip() if other.drg else self.say("无组", "none")
            yield f"  {other.code} {other.name} → {group}"
        if not step.instead:
            yield self.say("  同一亚目没有本方案使用的编码", "  the scheme uses no code of its subcategory")

    def number_lines(self) -> Iterator[str]:
        columns = {**FIELDS, "weight": WEIGHTS[self.e.weight]}
        numbers = {columns[name]: value for name, value in self.e.numbers.items()}
        department = self.e.department
        of_department = [] if department is None else [self.say("科室 ", "department ") + department]
        yield from self.data_lines(numbers, *of_department)

    def severity_lines(self) -> Iterator[str]:
        yield self.say("二、合并症与并发症（MCC/CC）", "2. Complications (MCC/CC)")
        if not self.e.severity:
            yield self.say("   其他诊断中没有 MCC 或 CC", "   no MCC or CC among the other diagnoses")
        for hit in self.e.severity:
            levels = "/".join(sorted(hit.levels, reverse=True))
            verdict = (
                self.say(
                    f"被主要诊断排除（第 {hit.table} 号排除表）",
                    f"excluded by the principal diagnosis (table {hit.table})",
                )
                if hit.excluded
                else self.say(
                    f"成立（第 {hit.table} 号排除表不含主要诊断）",
                    f"counts (table {hit.table} does not hold the principal diagnosis)",
                )
            )
            yield f"   {hit.code} {levels} {verdict}"

    def mdc_lines(self) -> Iterator[str]:
        yield self.say("三、主要诊断大类（MDC）与核心组（ADRG）", "3. MDC and ADRG")
        for step in self.e.mdcs:
            yield (
                "   "
                + self.say(f"进入 {self.named(step.mdc)}：", f"enters {self.named(step.mdc)}: ")
                + self.described(step.mdc.condition)
            )
            for tried in step.adrgs:
                yield "     " + self.verdict(tried)
        for tried in self.e.refused:
            if tried.idle:
                continue
            if tried.truth is None or not any(isinstance(part, In | Or) for part in tried.failing):
                yield "   " + self.verdict(tried)
        if not self.e.mdcs:
            yield self.say("   没有 MDC 的条件成立", "   no MDC takes the record")
        if self.e.retried:
            yield self.say(
                f"   未入组，按方案规则逐一改用其他手术操作作主要手术：{'、'.join(self.e.retried)}",
                f"   ungrouped; tried again with each other procedure alone: {', '.join(self.e.retried)}",
            )

    def named(self, tried: Tried) -> str:
        return f"{tried.code} {tried.name}".strip()

    def verdict(self, tried: Tried) -> str:
        if tried.truth is True:
            return f"✓ {self.named(tried)}{self.say('：', ': ')}{self.described(tried.condition)}"
        mark = "✗" if tried.truth is False else "?"
        wrong = self.say("；", "; ").join(self.described(item) for item in tried.failing)
        why = (
            self.say("不满足：", "fails: ") if tried.truth is False else self.say("缺数据：", "lacks data: ")
        )
        return f"{mark} {self.named(tried)}  {why}{wrong}"

    def group_lines(self) -> Iterator[str]:
        if not self.e.groups:
            return
        yield self.say("四、细分组（DRG）", "4. DRG")
        for tried in self.e.groups:
            yield "   " + self.verdict(tried)

    def near_lines(self) -> Iterator[str]:
        if not self.e.near:
            return
        yield self.say("接近的核心组", "Near misses")
        for miss in self.e.near:
            head = f"   {miss.code} {miss.name}".rstrip()
            if miss.instead:
                yield self.say(
                    f"{head}：若主要手术操作为 {miss.instead}，条件成立",
                    f"{head}: would hold with {miss.instead} as the main procedure",
                )
            else:
                yield self.say(f"{head}：只差", f"{head}: only lacks ") + self.described(miss.failing)

    def result_lines(self) -> Iterator[str]:
        r = self.e.result
        yield self.say("结果", "Result")
        group = f"{r['mdc']} / {r['adrg']} / {r['drg']} {r['drg_name'] or ''}".rstrip() if r["drg"] else "-"
        yield f"   {group}"
        yield from self.verdict_lines(r)
        if r["complication"] != "none" and r["complication_by"]:
            yield self.say(
                f"   并发症水平：{r['complication']}，来自 {r['complication_by']}",
                f"   complication level: {r['complication']}, from {r['complication_by']}",
            )
        for row in self.e.untested:
            yield self.say(
                f"   提醒（untested-criterion）：{row['drg']} 的名称写有“{row['criterion']}”，"
                f"方案没有条件检验；表中做法：{row.get('instead_zh', row['instead'])}",
                f"   warning (untested-criterion): the name of {row['drg']} says {row['criterion']}, "
                f"which no condition of the scheme tests; instead: {row['instead']}",
            )
