"""The rules as data: ``tables/checks/rules.toml`` with the switches of an area (``areas.csv``) applied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from grouper.base.errors import TableError
from grouper.base.formats import KEY, format_of
from grouper.base.paths import tables_dir
from grouper.base.shown import Shown
from grouper.base.tables_in import Row, read_table
from grouper.base.toml_in import read_toml

SEVERITIES = {"error": ("错误", "error"), "warn": ("警告", "warning"), "hint": ("提示", "hint")}
SCOPES = {"record": ("单份病案", "record"), "month": ("一段时间的病案", "month")}
CORRECTIONS = ("", "principal", "main", "heavier")
SUBJECTS = ("principal", "other", "diagnosis", "main", "further", "operation")
_TEXTS = ("name", "name_en", "zh", "en", "mend_zh", "mend_en")
_LISTS = ("needs", "codes", "not_in", "into", "source")
_KEYS = {
    "id", "check", "severity", "scope", "when", "measure", "correction", "limits", "verified", "valid_from",
    "valid_to", *_TEXTS, *_LISTS,
}  # fmt: skip
_SUBJECT = re.compile(rf"\b({'|'.join(SUBJECTS)})\.(\w+)")
_LIMIT = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Rule(Shown):
    """One rule.

    ``check``: its number in the list of checks. ``when``: a condition over the facts of a record, with
    ``principal.LIST`` and the like; ``measure``: of rules of scope month, what is measured. ``needs``: fields
    without which it is not evaluated. ``codes``: which codes a finding names ("other.grey_dx").
    ``correction``: what of the record's own codes may change place; ``into`` and ``not_in`` say which of
    them may come first. ``limits``: whole numbers that the condition and the texts name. ``source``: keys of
    the file's table of sources; ``verified``: somebody has compared the rule with the document.
    """

    id: str
    name: str
    name_en: str
    check: int
    severity: str
    scope: str
    when: str
    measure: str
    needs: tuple[str, ...]
    codes: tuple[str, ...]
    zh: str
    en: str
    mend_zh: str
    mend_en: str
    correction: str
    into: tuple[str, ...]
    not_in: tuple[str, ...]
    limits: Mapping[str, int]
    source: tuple[str, ...]
    verified: bool
    valid_from: date | None = None
    valid_to: date | None = None

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.id} {self.severity}, {self.scope}: {self.name_en}"

    def title(self, lang: str) -> str:
        return self.name_en if lang == "en" else self.name

    def text(self, lang: str) -> str:
        return self.en if lang == "en" else self.zh

    def mend(self, lang: str) -> str:
        return self.mend_en if lang == "en" else self.mend_zh

    @property
    def marks(self) -> frozenset[tuple[str, str]]:
        """(subject, list) of every ``subject.list`` that the condition and its codes name."""
        return frozenset(_SUBJECT.findall(" ".join((self.when, *self.codes))))

    @property
    def lists(self) -> frozenset[str]:
        """The code lists that the rule uses."""
        return frozenset({name for _, name in self.marks} | {*self.into, *self.not_in})

    @property
    def condition(self) -> str:
        """``when`` as SQL: marks as names of columns, limits as numbers."""
        marked = _SUBJECT.sub(r'"\1.\2"', self.when)
        return _LIMIT.sub(lambda match: str(self.limits[match[1]]), marked)

    def holds_on(self, day: date | None) -> bool:
        """Whether the rule is in force on a day; without a day it is."""
        if day is None:
            return True
        return not ((self.valid_from and day < self.valid_from) or (self.valid_to and day > self.valid_to))


@dataclass(frozen=True)
class Rank:
    """How cases are ranked for audit: points of a finding by its severity, and yuan that count one point."""

    points: Mapping[str, int]
    yuan_per_point: int


@dataclass(frozen=True)
class Rules(Shown):
    """The rules in force, in the order of the file. ``off``: ids that the area switches off. ``sources``:
    name of each document."""

    rules: tuple[Rule, ...]
    area: str = ""
    off: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    rank: Rank = field(default_factory=lambda: Rank(dict.fromkeys(SEVERITIES, 1), 1000))

    def line(self) -> str:
        """What it is, in one line."""
        return f"{len(self.rules)} rules{self.area and f' in {self.area}'}, {len(self.off)} off"

    def __getitem__(self, id_: str) -> Rule:
        return next(rule for rule in self.rules if rule.id == id_)

    def of(self, scope: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.scope == scope)


def load_rules(area: str = "", when: date | None = None, folder: Path | None = None) -> Rules:
    """The rules of an area in force on a day; without an area, as they stand in ``folder`` or are shipped.

    Raises TableError that names the place of what is wrong.
    """
    folder = folder or tables_dir() / "checks"
    shipped, sources, rank = _shipped(folder / "rules.toml")
    switched, off = _switched(shipped, folder / "areas.csv", area, when)
    return Rules(tuple(rule for rule in switched if rule.holds_on(when)), area, off, sources, rank)


@lru_cache(maxsize=16)
def _shipped(where: Path) -> tuple[tuple[Rule, ...], Mapping[str, str], Rank]:
    return read_rules(where)


def read_rules(where: Path) -> tuple[tuple[Rule, ...], Mapping[str, str], Rank]:
    """The rules of a file, its sources, and how cases are ranked. Raises TableError."""
    raw = read_toml(where, kind=TableError)
    format_of(raw, "checks", str(where))
    for key in raw.keys() - {"id", "name", "name_en", "sources", "rules", "rank", KEY}:
        _wrong(where, key, raw[key])
    sources: dict[str, str] = raw.get("sources", {})
    made: dict[str, Rule] = {}
    for number, item in enumerate(raw.get("rules", [])):
        rule = _rule(where, f"rules[{number}]", item, sources)
        if rule.id in made:
            _wrong(where, f"rules[{number}].id", rule.id)
        made[rule.id] = rule
    return tuple(made.values()), sources, _rank(where, raw.get("rank", {}))


def _rank(where: Path, raw: Mapping[str, Any]) -> Rank:
    for key in (*SEVERITIES, "yuan_per_point"):
        if type(raw.get(key)) is not int or raw[key] < 1:
            _wrong(where, f"rank.{key}", raw.get(key))
    return Rank({severity: raw[severity] for severity in SEVERITIES}, raw["yuan_per_point"])


def _rule(where: Path, place: str, raw: Mapping[str, Any], sources: Mapping[str, str]) -> Rule:
    place = f"{place} {raw.get('id', '')}".strip()
    for key in raw.keys() - _KEYS:
        _wrong(where, f"{place}.{key}", raw[key])
    for key in ("id", "severity", "scope", *_TEXTS):
        if not isinstance(raw.get(key), str) or not raw[key]:
            _wrong(where, f"{place}.{key}", raw.get(key))
    for key in _LISTS:
        if not isinstance(raw.get(key, []), list):
            _wrong(where, f"{place}.{key}", raw[key])
    for key, known in (("severity", SEVERITIES), ("scope", SCOPES), ("correction", CORRECTIONS)):
        if raw.get(key, "") not in known:
            _wrong(where, f"{place}.{key}", raw.get(key))
    if type(raw.get("check")) is not int or not isinstance(raw.get("verified"), bool):
        _wrong(where, f"{place}.check/verified", (raw.get("check"), raw.get("verified")))
    limits = raw.get("limits", {})
    if not all(type(value) is int for value in limits.values()):
        _wrong(where, f"{place}.limits", limits)
    for name in _LIMIT.findall(raw.get("when", "")):
        if name not in limits:
            _wrong(where, f"{place}.when", f"${name}")
    for key in raw.get("source", ["?"]):
        if key not in sources:
            _wrong(where, f"{place}.source", key)
    wanted, other = ("when", "measure") if raw["scope"] == "record" else ("measure", "when")
    if not raw.get(wanted) or raw.get(other):
        _wrong(where, f"{place}.{wanted}", raw.get(wanted))
    lists: dict[str, Any] = {key: tuple(raw.get(key, ())) for key in _LISTS}
    texts = {key: raw[key] for key in ("id", "severity", "scope", *_TEXTS)}
    return Rule(
        **texts,
        **lists,
        check=raw["check"],
        when=raw.get("when", ""),
        measure=raw.get("measure", ""),
        correction=raw.get("correction", ""),
        limits=limits,
        verified=raw["verified"],
        valid_from=raw.get("valid_from"),
        valid_to=raw.get("valid_to"),
    )


def _switched(
    rules: tuple[Rule, ...], where: Path, area: str, when: date | None
) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """The rules with the settings of an area: ``on`` (true, false), ``severity``, or a limit by its name."""
    made = {rule.id: rule for rule in rules}
    off: list[str] = []
    for row in _area_rows(where):
        if row.text("rule") not in made:
            raise row.error("rule", f"没有规则 {row.text('rule')}", f"there is no rule {row.text('rule')}")
        if row.text("area") != area or not _in_force(row, when):
            continue
        rule, setting, value = made[row.text("rule")], row.text("setting"), row.text("value")
        if setting == "on" and value in ("true", "false"):
            off += [rule.id] if value == "false" else []
        elif setting == "severity" and value in SEVERITIES:
            made[rule.id] = replace(rule, severity=value)
        elif setting in rule.limits and re.fullmatch(r"\d{1,9}", value):
            made[rule.id] = replace(rule, limits={**rule.limits, setting: int(value)})
        else:
            raise row.error(
                "value",
                f"{setting} = {value!r} 不可用；可用 on、severity 或该规则的界值 {'、'.join(rule.limits)}",
                f"{setting} = {value!r} is not valid; there are on, severity and the limits "
                f"{', '.join(rule.limits)}",
            )
    return tuple(rule for rule in made.values() if rule.id not in off), tuple(off)


def _area_rows(where: Path) -> list[Row]:
    columns = ("area", "rule", "setting", "value", "valid_from", "valid_to", "source", "verified")
    return list(read_table(where, needed=columns, known=(), kind=TableError))


def _in_force(row: Row, when: date | None) -> bool:
    if when is None:
        return not row.text("valid_to")
    first, last = row.text("valid_from"), row.text("valid_to")
    return (not first or first <= when.isoformat()) and (not last or when.isoformat() <= last)


def _wrong(where: Path, place: str, value: Any) -> NoReturn:
    raise TableError(
        zh=f"{where}：{place} 的取值 {value!r} 不可用（见 docs/checks.md）",
        en=f"{where}: {place}: {value!r} is not valid (see docs/checks.md)",
    )
