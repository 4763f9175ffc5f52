"""What is watched: indicators with definition, source, target and warning lines, read from TOML.

A file may extend another (``extends``), change its indicators by their ids, add some (``like`` copies one),
and leave some out (``omit``). Numbers are texts, conditions are texts such as ">= 85" or "< 3".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from grouper.base.errors import TableError, UsageError
from grouper.base.exact import decimal_of
from grouper.base.formats import KEY, format_of
from grouper.base.paths import is_there, tables_dir
from grouper.base.toml_in import read_toml

# Measure -> its parameters with the kind of each; "?" ends the kind of one that may be left out.
MEASURES: dict[str, dict[str, str]] = {
    "paid_share": {"of": "word", "methods": "words", "statuses": "words"},
    "paid_distinct": {"of": "word", "methods": "words", "statuses": "words"},
    "grouped_share": {"statuses": "words"},
    "case_ratio": {
        "over": "words", "optional": "words?", "under": "words", "insurance": "words?", "statuses": "words",
    },
    "case_mean": {"of": "word", "statuses": "words"},
    "fund_growth": {"against": "against", "statuses": "words"},
    "budget_use": {"amount": "word"},
    "budget_pace": {"amount": "word", "budget": "word"},
    "reserve_months": {"balance": "word", "expenditure": "word", "insurance": "words?"},
    "facts_ratio": {"over": "words", "under": "words", "insurance": "words?"},
    "facts_growth": {"of": "word", "against": "against"},
    "facts_amount": {"of": "words"},
    "large_payments": {"amount": "word", "above": "number", "statuses": "words"},
    "top_payments": {"amount": "word", "per_mille": "number", "statuses": "words"},
    "repeated_payments": {"keys": "words", "statuses": "words"},
    "many_stays": {"above": "number", "same_hospital": "flag", "statuses": "words"},
    "overlapping_stays": {"same_hospital": "flag", "statuses": "words"},
}  # fmt: skip
# Unit -> what a quotient is multiplied with; its words.
UNITS: dict[str, tuple[int, str, str]] = {
    "percent": (100, "%", "%"),
    "points": (100, "个百分点", "% points"),
    "per_mille": (1000, "‰", "‰"),
    "months": (1, "个月", "months"),
    "days": (1, "天", "days"),
    "yuan": (1, "元", "yuan"),
}
KINDS = {
    "binding": ("约束性", "binding"),
    "expected": ("预期性", "expected"),
    "stable": ("保持稳定", "stable"),
}
_TEXTS = ("id", "zh", "en", "measure", "unit", "definition_zh", "definition_en", "formula", "source")
_KEYS = {*_TEXTS, "verified", "digits", "with", "base", "target", "lines", "like"}
_FILE = {"id", "name", "name_en", "extends", "omit", "notes", "indicators"}
_CONDITION = re.compile(r"(<=|>=|<|>) (-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Condition:
    """A comparison with a number in the indicator's unit, made on exact fractions."""

    sign: str
    limit: Decimal

    def holds(self, value: Fraction) -> bool:
        limit = Fraction(self.limit)
        return {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}[self.sign]

    def __str__(self) -> str:
        return f"{self.sign} {self.limit}"


@dataclass(frozen=True)
class Target:
    """What a plan wants; ``kind`` binding, expected or stable, ``by`` the year."""

    wanted: Condition
    kind: str
    by: str
    source: str
    verified: bool


@dataclass(frozen=True)
class Base:
    """Where a plan starts from: ``value`` in the indicator's unit in the year ``at``."""

    value: Decimal
    at: str
    source: str
    verified: bool


@dataclass(frozen=True)
class Lines:
    """Beyond one of ``alarm`` the state is alarm, else beyond one of ``watch`` it is watch."""

    watch: tuple[Condition, ...]
    alarm: tuple[Condition, ...]
    source: str
    verified: bool


@dataclass(frozen=True)
class Indicator:
    """One indicator; ``values`` are the parameters of its measure, ``digits`` the decimals of its value."""

    id: str
    zh: str
    en: str
    measure: str
    unit: str
    digits: int
    definition_zh: str
    definition_en: str
    formula: str
    source: str
    verified: bool
    values: Mapping[str, Any]
    base: Base | None
    target: Target | None
    lines: Lines | None

    @property
    def unverified(self) -> list[str]:
        """Which of definition, base, target and lines nobody has checked against a document."""
        parts = {"base": self.base, "target": self.target, "lines": self.lines}
        found = [] if self.verified else ["definition"]
        return found + [name for name, part in parts.items() if part is not None and not part.verified]


@dataclass(frozen=True)
class Indicators:
    """A file of indicators, what it extends already in it. ``own``: the area has a file of its own."""

    id: str
    name: str
    name_en: str
    indicators: tuple[Indicator, ...]
    own: bool = True

    def __getitem__(self, id_: str) -> Indicator:
        return next(item for item in self.indicators if item.id == id_)


def load(area: str, path: str | Path | None = None) -> Indicators:
    """The indicators of a file, else the shipped ones of the area, else the common ones.

    Raises UsageError for a file that is not there, TableError that names the place of what is wrong.
    """
    if path is not None:
        return _load(Path(path))
    shipped = tables_dir() / "watch" / f"{area}.toml"
    if re.fullmatch(r"[\w-]+", area) and is_there(shipped):
        return _load(shipped)
    common = _load(tables_dir() / "watch" / "common.toml")
    return Indicators(common.id, common.name, common.name_en, common.indicators, own=False)


def _load(where: Path) -> Indicators:
    head, raw = _merged(where, ())
    made = tuple(_indicator(where, id_, item) for id_, item in raw.items())
    id_, name, name_en = (_text(where, head, key) for key in ("id", "name", "name_en"))
    return Indicators(id_, name, name_en, made)


def _merged(where: Path, above: tuple[Path, ...]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The head of a file, and its indicators by id over those that it extends."""
    head = read_toml(where, flag="--indicators", kind=TableError if where.is_file() else UsageError)
    format_of(head, "watch", str(where))
    for key in head.keys() - _FILE - {KEY}:
        _wrong(where, key, head[key])
    found: dict[str, dict[str, Any]] = {}
    if "extends" in head:
        base = tables_dir() / "watch" / f"{head['extends']}.toml"
        if base in above or len(above) > 4 or not base.is_file():
            _wrong(where, "extends", head["extends"])
        found = _merged(base, (*above, where))[1]
    for id_ in head.get("omit", []):
        if found.pop(id_, None) is None:
            _wrong(where, "omit", id_)
    for number, item in enumerate(head.get("indicators", [])):
        place = f"indicators[{number}]"
        if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
            _wrong(where, f"{place}.id", item)
        for key in item.keys() - _KEYS:
            _wrong(where, f"{place}.{key}", item[key])
        like = item.get("like", item["id"])
        if "like" in item and like not in found:
            _wrong(where, f"{place}.like", like)
        start = {key: value for key, value in found.get(like, {}).items() if key != "like"}
        if "like" in item:  # a plan's numbers belong to the indicator that it names
            start = {key: value for key, value in start.items() if key not in ("base", "target", "lines")}
        found[item["id"]] = {**start, **item}
    return head, found


def _indicator(where: Path, id_: str, raw: Mapping[str, Any]) -> Indicator:
    texts = {key: _text(where, raw, key, id_) for key in _TEXTS}
    if texts["measure"] not in MEASURES:
        _wrong(where, f"{id_}.measure", texts["measure"])
    if texts["unit"] not in UNITS:
        _wrong(where, f"{id_}.unit", texts["unit"])
    digits = raw.get("digits", 2)
    if type(digits) is not int or not 0 <= digits <= 4:
        _wrong(where, f"{id_}.digits", digits)
    return Indicator(
        **texts,
        digits=digits,
        verified=_flag(where, raw, id_),
        values=_values(where, id_, texts["measure"], raw.get("with", {})),
        base=_base(where, id_, raw.get("base")),
        target=_target(where, id_, raw.get("target")),
        lines=_lines(where, id_, raw.get("lines")),
    )


def _values(where: Path, id_: str, measure: str, raw: Any) -> dict[str, Any]:
    kinds = MEASURES[measure]
    if not isinstance(raw, Mapping):
        _wrong(where, f"{id_}.with", raw)
    for key in raw.keys() - kinds.keys():
        _wrong(where, f"{id_}.with.{key}", raw[key])
    made: dict[str, Any] = {}
    for key, kind in kinds.items():
        place, value = f"{id_}.with.{key}", raw.get(key)
        if value is None and kind.endswith("?"):
            made[key] = ()
        elif kind.startswith("words"):
            if not isinstance(value, list) or not value or not all(_is_word(word) for word in value):
                _wrong(where, place, value)
            made[key] = tuple(value)
        elif kind == "number":
            made[key] = _number(where, place, value)
        elif (
            (kind == "word" and _is_word(value))
            or (kind == "flag" and isinstance(value, bool))
            or (kind == "against" and value in ("year_before", "period_before"))
        ):
            made[key] = value
        else:
            _wrong(where, place, value)
    return made


def _is_word(value: Any) -> bool:
    """A name of a column, a fact, a method or a code; a minus before a column takes it off."""
    return isinstance(value, str) and re.fullmatch(r"-?\w+", value) is not None


def _part(where: Path, id_: str, name: str, raw: Any, keys: set[str]) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        _wrong(where, f"{id_}.{name}", raw)
    for key in raw.keys() - keys - {"source", "verified"}:
        _wrong(where, f"{id_}.{name}.{key}", raw[key])
    return raw


def _base(where: Path, id_: str, raw: Any) -> Base | None:
    if raw is None:
        return None
    raw, place = _part(where, id_, "base", raw, {"value", "at"}), f"{id_}.base"
    value = _number(where, f"{place}.value", raw.get("value"))
    return Base(
        value, _text(where, raw, "at", place), _text(where, raw, "source", place), _flag(where, raw, place)
    )


def _target(where: Path, id_: str, raw: Any) -> Target | None:
    if raw is None:
        return None
    raw, place = _part(where, id_, "target", raw, {"value", "kind", "by"}), f"{id_}.target"
    if raw.get("kind") not in KINDS:
        _wrong(where, f"{place}.kind", raw.get("kind"))
    wanted = _condition(where, f"{place}.value", raw.get("value"))
    by, source = (_text(where, raw, key, place) for key in ("by", "source"))
    return Target(wanted, raw["kind"], by, source, _flag(where, raw, place))


def _lines(where: Path, id_: str, raw: Any) -> Lines | None:
    if raw is None:
        return None
    raw, place = _part(where, id_, "lines", raw, {"watch", "alarm"}), f"{id_}.lines"
    made = []
    for level in ("watch", "alarm"):
        texts = raw.get(level, [])
        if not isinstance(texts, list):
            _wrong(where, f"{place}.{level}", texts)
        made.append(tuple(_condition(where, f"{place}.{level}", text) for text in texts))
    if not any(made):
        _wrong(where, place, raw)
    return Lines(made[0], made[1], _text(where, raw, "source", place), _flag(where, raw, place))


def _condition(where: Path, place: str, text: Any) -> Condition:
    found = _CONDITION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        _wrong(where, place, text)
    return Condition(found[1], _number(where, place, found[2]))


def _number(where: Path, place: str, value: Any) -> Decimal:
    number = decimal_of(value) if isinstance(value, str) else None
    if number is None:
        _wrong(where, place, value)
    return number


def _text(where: Path, raw: Mapping[str, Any], key: str, place: str = "") -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        _wrong(where, f"{place}.{key}" if place else key, value)
    return value


def _flag(where: Path, raw: Mapping[str, Any], place: str) -> bool:
    value = raw.get("verified")
    if not isinstance(value, bool):
        _wrong(where, f"{place}.verified", value)
    return value


def _wrong(where: Path, place: str, value: Any) -> NoReturn:
    raise TableError(
        zh=f"{where}：{place} 的取值 {value!r} 不可用（见 docs/watch.md）",
        en=f"{where}: {place}: {value!r} is not valid (see docs/watch.md)",
    )
