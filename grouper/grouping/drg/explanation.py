"""The explanation of a record: its steps as data, and in words, Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from grouper.base.reasons import REASONS, STATUS_NAMES, STATUS_ZH
from grouper.base.shown import Shown
from grouper.grouping import explaining, words
from grouper.grouping.drg.compile import FIELDS, WEIGHTS
from grouper.grouping.drg.conditions import And, Condition, Const, Department, In, Not, Or, Severity, to_text
from grouper.grouping.drg.describing import Lists, describe, list_words, lists_in, samples
from grouper.grouping.drg.evaluate import SeverityHit, Truth
from grouper.grouping.marks import MARKS

_NO_LISTS = Lists({}, {})


@dataclass(frozen=True)
class Sibling:
    """A specific code of the same subcategory (亚目), and the group that it would give in its place."""

    code: str
    name: str
    drg: str | None
    drg_name: str | None


@dataclass(frozen=True)
class CodeStep(explaining.CodeStep):
    """``mark``: "grey"; "grey-used" for one that the scheme names all the same; "not-for-grouping" where
    the scheme says so of it. ``instead``: the specific codes of its subcategory.
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
    """An ADRG (by "grey" and "excluded" a DRG) that one step kept away.

    ``kind``: "main" (another recorded procedure, ``instead``, should be the main one), "grey" (the specific
    code ``instead`` in the place of ``of``), "excluded" (the complication ``instead``, which the principal
    diagnosis ``of`` excludes), "diagnosis" and "procedure" (one of the list that is not recorded;
    ``samples``: codes with names), "number". ``failing``: the part of the condition that does not hold.
    """

    code: str
    name: str
    failing: Condition | None
    instead: str = ""
    kind: str = ""
    of: str = ""
    samples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Because:
    """A code that made the group's conditions hold: where it stands, and the list that has it."""

    subject: str
    code: str
    list: str


@dataclass(frozen=True)
class Explanation(Shown):
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
    because: list[Because] = field(default_factory=list)
    lists: Lists = _NO_LISTS  # of the scheme
    tables: Lists = _NO_LISTS  # its exclusion tables: the principal diagnoses in each

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.scheme}: {self.result['status']}, {self.result['drg']}"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; conditions in the notation of the tables. ``lists`` and ``tables``: those that
        the steps name, with their sizes and some of their codes."""
        data: dict[str, Any] = explaining.plain(self, (Condition, to_text), (Lists, str))
        tried = [*self.refused, *self.groups, *(t for s in self.mdcs for t in (s.mdc, *s.adrgs))]
        parts = [part for t in tried for part in (t.condition, *t.failing)]
        parts += [miss.failing for miss in self.near if miss.failing is not None]
        data["lists"] = explaining.plain([self.lists.named(name) for name in lists_in(*parts)])
        tables = sorted({hit.table for hit in self.severity})
        data["tables"] = explaining.plain([self.tables.named(name) for name in tables])
        return data

    def summary(self, lang: str = "zh") -> str:
        """Five lines: the group, because of which codes, the complications, what is one step away, and what
        is wrong."""
        return "\n".join(_Summary(self, lang).lines())

    def text(self, lang: str = "zh") -> str:
        """The summary, and every step below it; "zh" or "en"."""
        return f"{self.summary(lang)}\n\n{render(self, lang)}"


# --- words ----------------------------------------------------------------------------------


def render(explanation: Explanation, lang: str) -> str:
    """The whole explanation, one step under the other."""
    writer = Writer(explanation, lang)
    return "\n".join(writer.lines())


class Writer(words.Writer):
    def __init__(self, explanation: Explanation, lang: str) -> None:
        super().__init__(lang)
        self.e = explanation

    def described(self, condition: Condition) -> str:
        return describe(condition, self.lang, self.e.weight, self.e.lists)

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
        yield from (f"   {self.hit(hit)}" for hit in self.e.severity)

    def hit(self, hit: SeverityHit) -> str:
        """A complication, and whether it counts: the table that excludes it by some of its codes."""
        levels = "/".join(sorted(hit.levels, reverse=True))
        table = self.e.tables.named(hit.table)
        told = samples(table.samples, table.size, self.lang)
        if hit.excluded:
            principal = self.e.codes[0].code
            verdict = self.say(
                f"被主要诊断 {principal} 排除（第 {hit.table} 号排除表的主要诊断：{told}）",
                f"excluded by the principal diagnosis {principal} (table {hit.table}: {told})",
            )
        else:
            verdict = self.say(
                f"计入（第 {hit.table} 号排除表不含主要诊断；表中：{told}）",
                f"counts (table {hit.table} does not hold the principal diagnosis; it holds {told})",
            )
        return f"{self.coded(hit.code)} {levels} {verdict}"

    def coded(self, code: str) -> str:
        """A code of the record with its name."""
        name = next((step.name for step in self.e.codes if step.code == code), "")
        return f"{code} {name}".strip()

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
        yield self.say("五、差一步的组", "5. One step away")
        yield from (f"   {self.near(miss)}" for miss in self.joined())

    def joined(self) -> list[NearMiss]:
        """The near misses; specific codes of one code that give the same group are one."""
        found: dict[tuple[str, ...], NearMiss] = {}
        for number, miss in enumerate(self.e.near):
            key = (miss.of, miss.code) if miss.kind == "grey" else (str(number),)
            before = found.get(key)
            codes = self.say("、", ", ")
            found[key] = replace(miss, instead=f"{before.instead}{codes}{miss.instead}") if before else miss
        return list(found.values())

    def near(self, miss: NearMiss) -> str:
        """What would have to be coded otherwise, and the group that would come of it."""
        group = f"{miss.code} {miss.name}".strip()
        if miss.kind == "grey":
            return self.say(
                f"{miss.of}（方案不用）改为 {miss.instead}：{group}",
                f"{miss.instead} in the place of {miss.of}, which the scheme does not use: {group}",
            )
        if miss.kind == "main":
            return self.say(
                f"以 {self.coded(miss.instead)} 为主要手术操作：{group}",
                f"{self.coded(miss.instead)} as the main procedure: {group}",
            )
        if miss.kind == "excluded":
            return self.say(
                f"{self.coded(miss.instead)} 若不被主要诊断 {miss.of} 排除：{group}",
                f"{self.coded(miss.instead)}, did the principal diagnosis {miss.of} not exclude it: {group}",
            )
        if isinstance(miss.failing, In) and miss.samples:
            size = self.e.lists.named(miss.failing.list).size
            what = {"diagnosis": ("再有诊断", "with a diagnosis such as"),
                    "procedure": ("再有手术操作", "with a second procedure such as")}[miss.kind]  # fmt: skip
            first = " ".join(miss.samples[0]).strip()
            rest = [code for code, _ in miss.samples[1:]]
            told = self.say("、", ", ").join([first, *rest])
            more = self.say(f"等（共 {size} 个）", f" … ({size})") if size > len(miss.samples) else ""
            return f"{self.say(*what)} {told}{more}{self.say('：', ': ')}{group}"
        lacks = self.described(miss.failing) if miss.failing else ""
        return self.say(f"{lacks}：{group}", f"{lacks}: {group}")

    def result_lines(self) -> Iterator[str]:
        r = self.e.result
        yield self.say("结果", "Result")
        group = f"{r['mdc']} / {r['adrg']} / {r['drg']} {r['drg_name'] or ''}".rstrip() if r["drg"] else "-"
        yield f"   {group}"
        yield from self.verdict_lines(r)
        if r["complication"] != "none" and r["complication_by"]:
            counted = [h.code for h in self.e.severity if not h.excluded and r["complication"] in h.levels]
            told = self.say("、", ", ").join(counted or [r["complication_by"]])
            alone = self.say("（任一即可）", " (any one is enough)") if len(counted) > 1 else ""
            yield self.say(
                f"   并发症水平：{r['complication']}，来自 {told}{alone}",
                f"   complication level: {r['complication']}, from {told}{alone}",
            )
        yield from (f"   {line}" for line in self.untested_lines())

    def untested_lines(self) -> Iterator[str]:
        for row in self.e.untested:
            yield self.say(
                f"提醒：{row['drg']} 的名称写有“{row['criterion']}”，"
                f"方案没有条件检验；表中做法：{row.get('instead_zh', row['instead'])}",
                f"warning (untested-criterion): the name of {row['drg']} says {row['criterion']}, "
                f"which no condition of the scheme tests; instead: {row['instead']}",
            )


_NEAR_SHOWN, _HITS_SHOWN = 3, 3


class _Summary(Writer):
    """The five lines."""

    def lines(self) -> Iterator[str]:
        return self.five_lines(
            self.group(), self.because(), self.complications(), self.one_step(), self.wrong()
        )

    def group(self) -> str:
        r = self.e.result
        if not r["drg"]:
            return self.say("没有", "none") + self.say("（", " (") + self.status() + self.say("）", ")")
        ended = self.say(STATUS_ZH[STATUS_NAMES.index(r["status"] or "")], r["status"] or "")
        name = r["drg_name"] or ("" if r["status"] == "grouped" else ended)
        names = {tried.code: tried.name for step in self.e.mdcs for tried in (step.mdc, *step.adrgs)}
        above = [f"{r[x]} {names.get(r[x] or '', '')}".strip() for x in ("mdc", "adrg") if r[x]]
        inside = [text for text in above if not text.startswith(f"{r['drg']} ")]
        told = f"{r['drg']} {name}".strip()
        if inside and r["mdc"] != r["drg"]:
            told += self.say(f"（{' / '.join(inside)}）", f" ({' / '.join(inside)})")
        return told + self.say("", "; the tables name groups and codes in Chinese only")

    def status(self) -> str:
        r = self.e.result
        reason = next(item for item in REASONS if item.code == r["reason"])
        return self.say(reason.zh, reason.en)

    def because(self) -> str:
        found = [
            f"{self.say(*_PLACES[item.subject])} {self.coded(item.code)}"
            + self.say(f"（{list_words(item.list, 'zh')}）", f" ({list_words(item.list, 'en')})")
            for item in self.e.because
        ]
        tests = [t.condition for t in self.e.groups if t.truth is True and not _by_severity(t.condition)]
        found += [self.described(test) for test in tests]
        if found:
            return self.say("；", "; ").join(dict.fromkeys(found))
        kept_out = [
            t for t in self.e.refused if t.failing and not any(isinstance(f, In | Or) for f in t.failing)
        ]
        if kept_out:
            return self.say("；", "; ").join(self.verdict(t) for t in kept_out)
        principal = next((step for step in self.e.codes if step.kind == "diagnosis"), None)
        if principal is None:
            return self.status()
        invalid = self.e.result["status"] == "invalid"
        if principal.code and not self.e.mdcs and not invalid:
            return self.say(
                f"主要诊断 {self.coded(principal.code)} 不在任何主要诊断大类的诊断表中",
                f"no MDC has the principal diagnosis {self.coded(principal.code)}",
            )
        told = f"{self.place(principal)} {self.coded(principal.code) or principal.raw}".rstrip()
        return told if principal.code else self.status()

    def complications(self) -> str:
        if not self.e.severity:
            return self.say("其他诊断中没有 MCC 或 CC", "no MCC or CC among the other diagnoses")
        hits = sorted(self.e.severity, key=lambda hit: (hit.excluded, "MCC" not in hit.levels))
        told = [self.short(hit) for hit in hits[:_HITS_SHOWN]]
        if (more := len(hits) - _HITS_SHOWN) > 0:
            told.append(self.say(f"另有 {more} 个", f"{more} more"))
        split = any(_by_severity(t.condition) for t in self.e.groups)
        idle = self.e.groups and not split and any(not hit.excluded for hit in hits)
        rest = self.say("；本组不按并发症细分", "; the ADRG is not split by them") if idle else ""
        return self.say("；", "; ").join(told) + rest

    def short(self, hit: SeverityHit) -> str:
        if hit.excluded:
            return self.hit(hit)
        levels = "/".join(sorted(hit.levels, reverse=True))
        return f"{self.coded(hit.code)} {levels} {self.say('计入', 'counts')}"

    def one_step(self) -> str:
        if not self.e.near:
            return self.say("没有发现", "nothing found")
        near = self.joined()
        told = [self.near(miss) for miss in near[:_NEAR_SHOWN]]
        if (more := len(near) - _NEAR_SHOWN) > 0:
            told.append(self.say(f"另有 {more} 个（--full）", f"{more} more (--full)"))
        return self.say("；", "; ").join(told)

    def wrong(self) -> str:
        found = [f"{self.place(step)} {step.raw}{self.turned(step)}" for step in self.e.codes if step.issue]
        found += [self.marked(step) for step in self.e.codes if step.mark]
        if self.e.result["status"] != "grouped":
            found.append(self.status())
        for tried in (*self.e.groups, *(t for step in self.e.mdcs for t in step.adrgs), *self.e.refused):
            if self.e.result["status"] == "needs-data" and tried.truth is None and not tried.idle:
                found.append(self.verdict(tried))
                found += [self.only(part) for part in tried.failing if isinstance(part, Department)]
                break
        found += self.untested_lines()
        return self.say("；", "; ").join(dict.fromkeys(found)) or self.say("没有发现", "nothing found")

    def only(self, test: Department) -> str:
        return self.say(
            f"科室只看是否为“{test.text}”，不是时写任何其他值都可以",
            f"of the department only {test.text!r} matters: where it is another, any other value will do",
        )

    def marked(self, step: CodeStep) -> str:
        code = f"{self.place(step)} {self.coded(step.code)}"
        return f"{code} {marked_words(step.mark, self.lang)}"


_MARKED = {
    "grey": ("是医保灰码，本方案不用它分组", "is a grey code: the scheme does not group by it"),
    "grey-used": (
        "是医保灰码，但方案的条件或并发症表列有它",
        "is a grey code that the scheme names all the same",
    ),
    "not-for-grouping": (
        "是不作为分组规则的编码，本方案不用它分组",
        "is a code not used for grouping: the scheme does not group by it",
    ),
}


def marked_words(mark: str, lang: str) -> str:
    """What a mark says of a code; "" where there is none."""
    return _MARKED[mark][lang == "en"] if mark else ""


_PLACES = {
    "principal_dx": ("主要诊断", "principal diagnosis"), "other_dx": ("其他诊断", "other diagnosis"),
    "any_dx": ("诊断", "diagnosis"), "principal_proc": ("主要手术操作", "main procedure"),
    "other_proc": ("其他手术操作", "other procedure"), "any_proc": ("手术操作", "procedure"),
}  # fmt: skip


def _by_severity(condition: Condition) -> bool:
    """The test asks for complications, or for nothing."""
    if isinstance(condition, And | Or):
        return all(map(_by_severity, condition.items))
    if isinstance(condition, Not):
        return _by_severity(condition.item)
    return isinstance(condition, Severity | Const)
