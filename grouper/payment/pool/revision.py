"""A budget that is changed in mid-year by a document: months before it stay, the rest share what is left.

    the year's budget as revised − what the months before `from` have = what the months from it on share

A revision is a TOML file: `period`, `document` (文号), `from` (the first month that goes by it), and for each
pool that it changes `budget`, `reserve` or `carve_outs` of the whole year; docs/settlement-rules.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.formats import KEY, format_of
from grouper.base.money import Fen, yuan_of
from grouper.base.toml_in import read_toml
from grouper.payment.policy import words
from grouper.payment.pool.apportion import apportion
from grouper.payment.pool.budget import Budget, CarveOut, PoolBudget, parse_budget, read_budget

_KEYS = {"area", "period", "document", "from", "pools", KEY}
_POOL_KEYS = ("budget", "reserve", "carve_outs")
_GROWN = ("growth_base", "growth_rate")


@dataclass(frozen=True)
class Revision:
    """``budget``: the year's as this revision and those before it have it; ``first``: the month (1 to 12)."""

    document: str
    first: int
    where: str
    budget: Budget


@dataclass(frozen=True)
class Revised:
    """The year's budget with its revisions, in the order of their months. ``weights``: of pools, by month."""

    original: Budget
    revisions: tuple[Revision, ...]
    weights: Mapping[str, Mapping[int, Fraction]]

    @property
    def budget(self) -> Budget:
        """The year's, after the last revision."""
        return self.revisions[-1].budget if self.revisions else self.original

    def of_month(self, month: int) -> Budget:
        """The year's budget as a month (1 to 12) knows it, with the month's part of each pool."""
        return replace(
            self.original,
            pools={name: self._part(pool, month) for name, pool in self._known(month).pools.items()},
        )

    def told(self, month: int = 12) -> dict[str, str]:
        """What revisions up to a month changed: pool and number to "old to new by document from month"."""
        found, before = {}, self.original
        for number, revision in enumerate(self.revisions, 1):
            for name, pool in revision.budget.pools.items():
                old = before.pools[name].budget
                if pool.budget != old and revision.first <= month:
                    found[f"budget revision {number} {name}"] = (
                        f"{yuan_of(old)} to {yuan_of(pool.budget)} by {revision.document} "
                        f"from {self.original.period}-{revision.first:02d}"
                    )
            before = revision.budget
        return found

    def _known(self, month: int) -> Budget:
        """The year's budget that counts in a month."""
        known = [r.budget for r in self.revisions if r.first <= month]
        return known[-1] if known else self.original

    def _part(self, pool: PoolBudget, month: int) -> PoolBudget:
        def money(of: PoolBudget) -> Fen:
            return of.budget

        def kept(of: PoolBudget) -> Fen:
            return of.reserve or 0

        def apart(name: str) -> Any:
            return lambda of: sum(c.amount for c in of.carve_outs if c.name == name)

        weights = self.weights[pool.name]
        carved = [
            replace(c, amount=self._share(pool.name, month, apart(c.name), c.name))
            for c in _once(pool.carve_outs)
        ]
        if not self.revisions:  # two of one name each by itself
            carved = [replace(c, amount=apportion(c.amount, weights)[month]) for c in pool.carve_outs]
        return replace(
            pool, budget=self._share(pool.name, month, money, "budget"),
            reserve=None if pool.reserve is None else self._share(pool.name, month, kept, "reserve"),
            carve_outs=tuple(carved),
        )  # fmt: skip

    def _share(self, pool: str, month: int, amount: Any, what: str) -> Fen:
        """A month's part of an amount of the pool. Raises UsageError where earlier months had more."""
        weights = self.weights[pool]
        parts = apportion(amount(self.original.pools[pool]), weights)
        for revision in self.revisions:
            if revision.first > month:
                break
            before = sum(fen for number, fen in parts.items() if number < revision.first)
            rest = amount(revision.budget.pools[pool]) - before
            if rest < 0:
                raise UsageError(
                    zh=f"{revision.where}：pools.{pool}.{what}：{revision.first} 月以前各月已有 "
                    f"{yuan_of(before)} 元，多于调整后的全年数",
                    en=f"{revision.where}: pools.{pool}.{what}: the months before {revision.first} have "
                    f"{yuan_of(before)} yuan already, more than the year as revised",
                )
            parts |= apportion(rest, {n: w for n, w in weights.items() if n >= revision.first})
        return parts[month]


def _once(carved: Sequence[CarveOut]) -> list[CarveOut]:
    """Carve-outs, those of one name added up."""
    found: dict[str, CarveOut] = {}
    for c in carved:
        found[c.name] = replace(c, amount=c.amount + found[c.name].amount) if c.name in found else c
    return list(found.values())


def read_revised(path: str | Path, revisions: Sequence[str]) -> Revised:
    """The budget file of a year with its revisions. Raises UsageError that names file and key."""
    original = read_budget(path)
    raw = read_toml(path, flag="--budget")
    if revisions and not original.yearly:
        raise UsageError(
            zh=f"{path}：period 是 {original.period}；--revision 调整的是全年预算，请给出全年的预算文件",
            en=f"{path}: period is {original.period}; --revision changes the budget of a year: name its file",
        )
    weights = {name: pool.month_weights for name, pool in original.pools.items()}
    made: list[Revision] = []
    for place in revisions:
        found, raw = _read(place, raw, Path(path).parent)
        if made and found.first <= made[-1].first:
            raise _error(
                place, "from", "应晚于前一次调整", "should be later than that of the revision before"
            )
        made.append(found)
    return Revised(original, tuple(made), weights)


def _read(place: str, old: Mapping[str, Any], folder: Path) -> tuple[Revision, dict[str, Any]]:
    """A revision of a budget file's tables, and these tables as revised."""
    raw = read_toml(place, flag="--revision")
    format_of(raw, "budget", place, UsageError)
    for name in raw:
        if name not in _KEYS:
            known = sorted(_KEYS)
            raise _error(place, name, f"未知的键；可用 {'、'.join(known)}", f"unknown key; there are {known}")
    document = str(raw.get("document") or "").strip()
    if not document:
        raise _error(
            place,
            "document",
            "缺少调整预算的文号",
            "the number of the document that revises the budget is missing",
        )
    year = old["period"]
    if raw.get("period") != year or raw.get("area", old.get("area")) != old.get("area"):
        raise _error(
            place,
            "period",
            f"area、period 应与预算文件一致（{year}）",
            f"area and period should be those of the budget ({year})",
        )
    first = re.fullmatch(rf"{year}-(0[2-9]|1[0-2])", str(raw.get("from") or ""))
    if not first:
        raise _error(place, "from", f"应为 {year}-02 至 {year}-12", f"should be {year}-02 to {year}-12")
    pools = {words.pool_named(name, words.POOLS): dict(pool) for name, pool in old["pools"].items()}
    for given, change in dict(raw.get("pools") or {}).items():
        name = words.pool_named(given, words.POOLS)
        if name not in pools:
            raise _error(place, f"pools.{name}", "预算文件没有这个池", "the budget file has no such pool")
        for key in change:
            if key not in _POOL_KEYS:
                raise _error(
                    place,
                    f"pools.{name}.{key}",
                    f"只可调整 {'、'.join(_POOL_KEYS)}",
                    f"only {', '.join(_POOL_KEYS)} can be revised",
                )
        for key in _GROWN if "budget" in change else ():
            pools[name].pop(key, None)
        pools[name].update(change)
    if not raw.get("pools"):
        raise _error(place, "pools", "至少要调整一个池", "there must be a pool that it changes")
    tables = {**old, "pools": pools}
    return Revision(document, int(first[1]), place, parse_budget(tables, place, folder)), tables


def _error(where: str, key: str, zh: str, en: str) -> UsageError:
    return UsageError(zh=f"{where}：{key}：{zh}", en=f"{where}: {key}: {en}")
