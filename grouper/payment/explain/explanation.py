"""What an explanation of a payment holds, and its words. ``grouper.payment.explain.explain`` makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from grouper.base.exact import decimal_of
from grouper.base.shown import Shown
from grouper.payment.formula.expression import plain
from grouper.payment.policy import words
from grouper.payment.policy.value_words import value_told
from grouper.payment.price.gated import WAITING


@dataclass(frozen=True)
class Clause:
    """What a number rests on. ``value`` is empty where the number stands in the formula."""

    name: str
    label: dict[str, str]
    value: str
    source: str
    article: str
    verified: bool

    def text(self, lang: str) -> str:
        """One line, "zh" or "en"."""
        zh = lang != "en"
        said = f" {value_told(self.name, self.value, lang)}" if self.value else ""
        article = f"，{self.article}" if self.article and zh else f", {self.article}" if self.article else ""
        mark = (
            ("已核实" if self.verified else "未核实")
            if zh
            else "verified"
            if self.verified
            else "not verified"
        )
        if zh:
            return f"{self.label['zh']}{said}：来源 {self.source}{article}，{mark}"
        return f"{self.label['en']}{said}: {self.source}{article}, {mark}"


@dataclass(frozen=True)
class Line:
    """A column of the case: ``formula`` in names, ``numbers`` of this case, ``result`` as stored.

    ``rounded``: digits were cut at this step. Texts are by language.
    """

    column: str
    label: dict[str, str]
    formula: dict[str, str]
    numbers: dict[str, str]
    result: dict[str, str]
    unit: str
    rounded: bool
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class PaymentExplanation(Shown):
    """How a policy pays one case. ``values`` are all columns, whether told or not."""

    policy: str
    name: dict[str, str]
    when: date
    record: str
    head: dict[str, str]
    clauses: tuple[Clause, ...]
    lines: tuple[Line, ...]
    notes: tuple[dict[str, str], ...]
    differences: tuple[tuple[str, str, str], ...]  # column, here, in the file
    digest: str  # of the policy
    older: tuple[str, ...]  # the same in older formats
    routes: Mapping[str, words.Pair]
    values: Mapping[str, Any] = field(repr=False)

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.policy}, {self.record}: {self.head['pay_status']} ({self.head['pay_reason']})"

    def priced_by(self, digest: str | None) -> PaymentExplanation:
        """With a note, where the file was priced by another policy, or another state of this one."""
        if digest in (None, self.digest, *self.older):
            return self
        note = {
            "zh": "文件是按另一政策（或本政策的另一版本）计价的",
            "en": "the file was priced by another policy, or by another state of this one",
        }
        return replace(self, notes=(*self.notes, note))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; numbers as decimal texts."""
        plain_values = {
            n: v if isinstance(v, str | bool | None) else plain(v) for n, v in self.values.items()
        }
        own = asdict(replace(self, values={}, routes={}))
        return {
            **{name: value for name, value in own.items() if name != "older"},
            "when": str(self.when),
            "values": plain_values,
        } | {"routes": dict(self.routes)}

    def text(self, lang: str = "zh") -> str:
        """The explanation in words, "zh" or "en"."""
        return "\n".join(self._text(lang))

    def _text(self, lang: str) -> Iterator[str]:
        zh = lang != "en"
        head = self.head
        record = f"（{self.record}）" if zh and self.record else f" ({self.record})" if self.record else ""
        yield (
            f"支付{record}：{self.name['zh']} [{self.policy}]，{self.when}"
            if zh
            else (f"Payment{record}: {self.name['en']} [{self.policy}], {self.when}")
        )
        route = words.reason(head["route"], lang, self.routes)
        method = words.pick(words.METHODS.get(head["method"], (head["method"],) * 2), lang)
        yield (
            f"  基金池 {words.pool(head['pool'], lang)}；路径 {route}；支付方式 {method}"
            if zh
            else (f"  pool {head['pool']}; route {route}; method {method}")
        )
        for clause in self.clauses:
            yield f"      {clause.text(lang)}"
        for line in self.lines:
            yield from _line_text(line, lang)
        status = words.pick(words.STATUSES[head["pay_status"]], lang)
        why = words.reason(head.get("cause") or head["pay_reason"], lang, self.routes)
        yield f"  状态：{status}（{why}）" if zh else f"  status: {status} ({why})"
        for note in self.notes:
            yield f"  {'说明' if zh else 'note'}{'：' if zh else ': '}{note[lang]}"
        for column, here, there in self.differences:
            yield (
                f"  与文件不同：{column} 为 {here}，文件为 {there}"
                if zh
                else (f"  differs from the file: {column} is {here}, the file has {there}")
            )


@dataclass(frozen=True)
class NoCase:
    """A row that is no stay, or waits, and so has no payment. ``reason``: of the gate."""

    record: str
    status: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"record": self.record, "head": {"pay_status": self.status, "pay_reason": self.reason}}

    def text(self, lang: str = "zh") -> str:
        """In words, "zh" or "en"."""
        status = words.pick(words.STATUSES[self.status], lang)
        why = words.reason(self.reason, lang)
        if lang == "en":
            return f"Payment ({self.record}): {status} ({why}) [{self.reason}]"
        return f"支付（{self.record}）：{status}（{why}）[{self.reason}]"


def no_case(record: str, reason: str) -> NoCase:
    """A row that the gate took out, or holds."""
    return NoCase(record, "held" if reason in WAITING else "left", reason)


def _line_text(line: Line, lang: str) -> Iterator[str]:
    unit = words.unit(line.unit, lang)
    parts = [line.label[lang]]
    if line.formula[lang] not in ("", *parts):
        parts.append(line.formula[lang])
    if not _same(line.numbers[lang], line.result[lang]):
        parts.append(line.numbers[lang])
    sign = "≈" if line.rounded else "="
    yield f"  {' = '.join(parts)} {sign} {line.result[lang]}{' ' + unit if unit else ''}"
    for clause in line.clauses:
        yield f"      {clause.text(lang)}"


def _same(numbers: str, result: str) -> bool:
    """The numbers are nothing but the result: ``12600`` and ``12600.00``."""
    same = decimal_of(numbers)
    return not numbers or numbers == result or (same is not None and same == decimal_of(result))
