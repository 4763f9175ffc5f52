"""Dated parameters of a policy: read, checked, and resolved for a day."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from grouper.base.errors import TableError, UsageError
from grouper.base.exact import decimal_of
from grouper.payment.formula.cited import Cited
from grouper.payment.formula.expression import Case, Expr, Field, Null, Number
from grouper.payment.formula.predicates import All, Compare, OneOf
from grouper.payment.policy import shapes
from grouper.payment.policy.clauses import cite, clauses
from grouper.payment.policy.registry import BANDED, KEYS, PARAMETERS, Spec

OPEN_END = date.max


@dataclass(frozen=True)
class Dated:
    """One value of a parameter with the time for which it holds (both ends included) and its source.

    ``value`` is a Decimal, int, bool, text, tuple of texts, or for a parameter that depends on
    something a mapping of keys ("3/employee") to those; bands are (upper end or None, value) pairs.
    """

    start: date
    end: date
    value: Any
    source: str
    article: str
    verified: bool
    clauses: tuple[str, ...] = ()  # national clauses that it rests on; source and article say so in words

    def as_data(self) -> dict[str, Any]:
        """What a digest is taken over; the names stay whatever the fields are called."""
        return {
            "from": self.start, "to": self.end, "value": _value_data(self.value), "source": self.source,
            "article": self.article, "verified": self.verified,
        }  # fmt: skip


def _value_data(value: Any) -> Any:
    if isinstance(value, Band):
        return {"up_to": value.up_to, "value": value.value}
    if isinstance(value, Segment):
        return {"start": value.start, "base": value.base, "slope": value.slope}
    if isinstance(value, Mapping):  # of keys with as many "*", the first in the file wins
        items = sorted(
            value.items(), key=lambda item: (item[0].count("*"), "" if "*" in item[0] else item[0])
        )
        return [{"key": key, "value": _value_data(item)} for key, item in items]
    return [_value_data(item) for item in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Parameter:
    """A parameter with its values in the order of time."""

    name: str
    by: tuple[str, ...]
    values: tuple[Dated, ...]

    def as_data(self) -> dict[str, Any]:
        """What a digest is taken over."""
        return {"by": self.by, "values": [dated.as_data() for dated in self.values]}

    @property
    def spec(self) -> Spec:
        return PARAMETERS[self.name]

    def on(self, when: date) -> Dated | None:
        """The value that holds on a day."""
        for dated in self.values:
            if dated.start <= when <= dated.end:
                return dated
        return None


@dataclass(frozen=True)
class Band:
    """Values up to ``up_to`` (included; None: no end)."""

    up_to: Decimal | None
    value: Decimal


@dataclass(frozen=True)
class Segment:
    """y = ``base`` + ``slope`` · (x - ``start``) from ``start`` (included) to the next segment's start."""

    start: Decimal
    base: Decimal
    slope: Decimal


_BY_KEYS = ("number", "tiers")  # the kinds that may depend on level, hospital, pool …


def read_parameter(name: str, raw: Mapping[str, Any], where: str, start: date, end: date) -> Parameter:
    """A ``[parameters.NAME]`` table of a policy file.

    Raises TableError, naming file and parameter, for an unknown name, a value of the wrong kind, a
    missing source, or times that overlap. Values that end before the policy begins, or begin after its end,
    are those of the policy that it extends: they are left out.
    """
    if name not in PARAMETERS:
        raise _error(where, name, "未知参数", "unknown parameter")
    spec = PARAMETERS[name]
    if not isinstance(raw, Mapping):
        raise _error(where, name, "应为表（[parameters.名称]）", "should be a table ([parameters.NAME])")
    shapes.check(raw, shapes.PARAMETER, f"{where} [parameters.{name}]")
    by = tuple(raw.get("by", ()))
    for key in by:
        if key not in KEYS:
            raise _error(where, name, f"by 中的 {key} 不认识", f"unknown key {key} in by")
    if by and spec.kind not in _BY_KEYS:
        raise _error(
            where,
            name,
            f"{spec.zh.split('：')[0]}在一个政策中只有一种取法，不能用 by；不同取法请写成不同的政策",
            f"a {spec.kind} is one for the whole policy without by; give what differs a policy of its own",
        )
    if BANDED & set(by) and len(by) > 1:
        raise _error(where, name, "分段参数只能按一项分段", "a banded parameter has one key")
    entries = raw.get("values", [raw])
    dated = [_dated(name, spec, by, {**raw, **e}, where, start, end) for e in entries]
    within = [d for d in dated if d.start <= end and d.end >= start]
    values = tuple(sorted(within or dated, key=lambda d: d.start))
    for before, after in itertools.pairwise(values):
        if after.start <= before.end:
            raise _error(where, name, f"有效期重叠：{after.start}", f"values overlap on {after.start}")
    return Parameter(name, by, values)


def _dated(
    name: str, spec: Spec, by: Sequence[str], raw: Mapping[str, Any], where: str, start: date, end: date
) -> Dated:
    if "value" not in raw:
        raise _error(where, name, "缺 value", "value is missing")
    shapes.check(raw, shapes.PARAMETER, f"{where} [parameters.{name}]")
    if not isinstance(raw.get("verified"), bool):
        raise _error(where, name, "缺 verified = true|false", "verified = true|false is missing")
    source, article, cited = _source(name, raw, where)
    value = raw["value"]
    if BANDED & set(by):
        value = _bands(value, where, name)
    elif by:
        if not isinstance(value, Mapping):
            raise _error(where, name, f"应为按 {'/'.join(by)} 的表", f"should be a table by {'/'.join(by)}")
        for key in value:
            if len(key.split("/")) != len(by):
                raise _error(
                    where, name, f"键 {key} 应有 {len(by)} 段", f"key {key} should have {len(by)} parts"
                )
        value = {key: _one(spec, item, where, name) for key, item in value.items()}
    else:
        value = _one(spec, value, where, name)
    return Dated(
        raw.get("from", start),
        raw.get("to", end),
        value,
        source,
        article,
        raw["verified"],
        cited,
    )


def _source(name: str, raw: Mapping[str, Any], where: str) -> tuple[str, str, tuple[str, ...]]:
    """Source and article in words, and the national clauses cited; a source beside them says more."""
    own, given = str(raw.get("source", "")), raw.get("clause", ())
    ids = (given,) if isinstance(given, str) else tuple(given)
    if not ids and not own:
        raise _error(where, name, "缺 source（出处）或 clause", "source or clause is missing")
    known = clauses() if ids else {}
    for one in ids:
        if one not in known or known[one].parameter != name:
            raise _error(where, name, f"国家条款 {one} 不是关于它的", f"{one} is no national clause about it")
        if raw["verified"] and not known[one].document.in_force:
            raise _error(
                where, name, f"条款 {one} 是征求意见稿，不能算已核实", f"{one} is of a draft: never verified"
            )
    if not ids:
        return own, str(raw.get("article", "")), ()
    source, article = cite(ids)
    return f"{source}；{own}" if own else source, article, ids


def _bands(value: Any, where: str, name: str) -> tuple[Band, ...]:
    value = shapes.tables(value, f"{where} [parameters.{name}]")
    bands = tuple(
        Band(
            None if "up_to" not in item else _number(item["up_to"], where, name),
            _number(item.get("value"), where, name),
        )
        for item in value
    )
    ends = [band.up_to for band in bands]
    closed = [end for end in ends[:-1] if end is not None]
    if not bands or ends[-1] is not None or len(closed) != len(ends) - 1 or sorted(set(closed)) != closed:
        raise _error(
            where,
            name,
            "分段应由小到大，只有最后一段没有 up_to",
            "bands rise, and only the last has no up_to",
        )
    return bands


def _one(spec: Spec, value: Any, where: str, name: str) -> Any:
    if spec.kind == "number":
        return _number(value, where, name)
    if spec.kind == "count" and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    if spec.kind == "flag" and isinstance(value, bool):
        return value
    if spec.kind == "choice" and isinstance(value, str) and value in spec.choices:
        return value
    if spec.kind == "words" and isinstance(value, list) and all(isinstance(v, str) for v in value):
        for word in value:
            if spec.choices and word not in spec.choices:
                known = spec.choices
                raise _error(
                    where,
                    name,
                    f"未知的词 {word!r}；可用：{'、'.join(known)}",
                    f"unknown word {word!r}; there are {', '.join(known)}",
                )
        return tuple(value)
    if spec.kind == "tiers":
        return _bands(value, where, name)
    if spec.kind == "segments":
        return tuple(
            Segment(*(_number(item.get(key), where, name) for key in ("start", "base", "slope")))
            for item in shapes.tables(value, f"{where} [parameters.{name}]")
        )
    allowed = f"（{'、'.join(spec.choices)}）" if spec.choices else ""
    raise _error(
        where,
        name,
        f"取值 {value!r} 不是 {spec.kind}{allowed}",
        f"{value!r} is no {spec.kind} {' | '.join(spec.choices)}".rstrip(),
    )


def _number(value: Any, where: str, name: str) -> Decimal:
    number = decimal_of(value)
    if number is not None:
        return number
    raise _error(
        where,
        name,
        f'{value!r} 不是数；小数请加引号写作文本，例如 "0.85"',
        f'{value!r} is no number; write decimals as texts, such as "0.85"',
    )


def _error(where: str, name: str, zh: str, en: str) -> TableError:
    return TableError(zh=f"{where}：参数 {name}：{zh}", en=f"{where}: parameter {name}: {en}")


class Values:
    """The parameters of a policy on one day."""

    def __init__(
        self, parameters: Mapping[str, Parameter], when: date, where: str, weight_digits: int = 0
    ) -> None:
        self.when = when
        self._digits = {"weight": weight_digits, "base": 8}
        self.where = where
        self._parameters = parameters
        self.used: dict[str, Dated] = {}

    def _dated(self, name: str) -> Dated | None:
        parameter = self._parameters.get(name)
        if parameter is None:
            return None
        dated = parameter.on(self.when)
        if dated is None:
            raise UsageError(
                zh=f"{self.where}：参数 {name} 在 {self.when} 没有取值；请用 --as-of 指定其有效期内的日期，"
                "或补充该参数",
                en=f"{self.where}: parameter {name} has no value on {self.when}; name a day of its validity "
                "with --as-of, or add a value",
            )
        self.used[name] = dated
        return dated

    def has(self, name: str) -> bool:
        """The policy sets the parameter at all."""
        return name in self._parameters

    def plain(self, name: str) -> Any:
        """A choice, flag, count, text list, tier table or segment list; None where the policy has none."""
        dated = self._dated(name)
        return None if dated is None else dated.value

    def need(self, name: str) -> Any:
        """Like ``plain``, but the policy must set it."""
        dated = self._dated(name)
        if dated is None:
            raise TableError(
                zh=f"{self.where}：缺少参数 {name}（{PARAMETERS[name].zh}）",
                en=f"{self.where}: parameter {name} ({PARAMETERS[name].en}) is missing",
            )
        return dated.value

    def number(self, name: str) -> Expr | None:
        """The formula of a number parameter: a constant, or the value for the keys of the case.

        None where the policy does not set it; a case whose key is in no entry gets null.
        """
        dated = self._dated(name)
        return None if dated is None else formula(self._parameters[name], dated.value, self._digits)

    def need_number(self, name: str) -> Expr:
        """Like ``number``, but the policy must set it."""
        self.need(name)
        found = self.number(name)
        assert found is not None
        return found

    def cited(self, expr: Expr, name: str, when: Expr | None = None) -> Expr:
        """``expr`` as something that the parameter chose, for telling (``when``: as in Cited).

        As it is, where the policy does not set the parameter.
        """
        return expr if self._dated(name) is None else Cited(expr, name, when)


def formula(parameter: Parameter, value: Any, digits: Mapping[str, int]) -> Expr:
    """A parameter's value as a formula over its key columns."""
    spec = parameter.spec

    def number(amount: Decimal) -> Number:
        return Number(amount, parameter.name, spec.zh, spec.en)

    if not parameter.by:
        return number(value)
    if parameter.by[0] in BANDED:
        name = KEYS[parameter.by[0]]
        column = Field(name, digits[name])
        bands: list[tuple[Expr, Expr]] = [
            (Compare(column, "<=", Number(band.up_to)), number(band.value))
            for band in value
            if band.up_to is not None
        ]
        return Case(tuple(bands), number(value[-1].value))
    columns = [KEYS[key] for key in parameter.by]
    exact = sorted(value.items(), key=lambda item: item[0].split("/").count("*"))
    branches: list[tuple[Expr, Expr]] = [
        (
            All(tuple(OneOf(c, (k,)) for c, k in zip(columns, key.split("/"), strict=True) if k != "*")),
            number(amount),
        )
        for key, amount in exact
    ]
    return Case(tuple(branches), Null())
