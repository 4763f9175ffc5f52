"""The budget file of a month or a year: what the pools may spend, and what hospitals already had.

TOML; amounts in yuan as texts ("5600000.00") or whole numbers, never floats. docs/settlement-rules.md
describes every key. Nothing is taken for granted: an unknown key is an error that names it.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from grouper.base import canonical
from grouper.base.errors import UsageError
from grouper.base.exact import decimal_of
from grouper.base.formats import KEY, format_of
from grouper.base.money import Fen, yuan_of
from grouper.base.tables_in import read_table
from grouper.base.toml_in import read_toml
from grouper.payment.policy import pool_names, words
from grouper.payment.policy.sharing import fen
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.apportion import apportion
from grouper.records.headings import headings
from grouper.records.values import money_text, not_money

_KEYS = {"area", "period", "source", "pools", "hospitals", "advance_base", "regions", KEY}
_POOL_KEYS = {
    "budget", "annual_budget", "month_weights", "growth_base", "growth_rate", "reserve", "carve_outs",
    "members", "point_value", "pay_ratio", "source", "counties",
}  # fmt: skip
_AMOUNTS = ("prepaid", "deposit", "advance", "audit", "advance_base")
OFFSITE = "异地就医"  # the carve-out that pays own people's care elsewhere
LAST_YEAR = "last_year"  # advance_base of the file: what the months of last year came to
_HOSPITAL_KEYS = ("hospital_code", "pool", *_AMOUNTS, "score")
_MONTHS = 12


@dataclass(frozen=True)
class CarveOut:
    """An amount set apart from the pool (fen), with the reason."""

    name: str
    amount: Fen
    source: str


@dataclass(frozen=True)
class PoolBudget:
    """A pool's money for the period, in fen.

    ``reserve`` None: by the policy's ``reserve_rate``. ``members``: the pools of cases that it pays: the
    policy's, each with a county or alliance where the policy has pools for these (``pool_names``).
    ``month_weights``: in what proportion the months of a year share it, by number of month.
    ``point_value`` (yuan per point) stands for the policy's budget value, ``pay_ratio`` for the cases' own
    fund shares (F3). ``counties``: their weights, where city and counties share what the year leaves.
    """

    name: str
    budget: Fen
    reserve: Fen | None
    carve_outs: tuple[CarveOut, ...]
    members: tuple[str, ...]
    point_value: Fraction | None
    pay_ratio: Fraction | None
    source: str
    month_weights: Mapping[int, Fraction] = field(default_factory=dict)
    counties: Mapping[str, Fraction] = field(default_factory=dict)

    @property
    def offsite(self) -> Fen:
        """What is set apart for own people's care elsewhere."""
        return sum(c.amount for c in self.carve_outs if c.name == OFFSITE)

    def as_data(self) -> dict[str, Any]:
        """What a digest is taken over; amounts in fen."""
        carved = [{"name": c.name, "amount": c.amount, "source": c.source} for c in self.carve_outs]
        return {
            "budget": self.budget, "reserve": self.reserve, "carve_outs": carved, "members": self.members,
            "point_value": self.point_value, "pay_ratio": self.pay_ratio, "source": self.source,
            **({"counties": dict(self.counties)} if self.counties else {}),
        }  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """What is known of a hospital in a pool, in fen; None where the file does not say.

    ``prepaid``: paid in the period before offsets and deductions; ``deposit``: withheld; ``advance``: to be
    offset now; ``audit``: deductions not yet taken; ``score``: of the assessment; ``advance_base``: what the
    hospital is due in a month on average, where it gets an advance (0: none by agreement).
    """

    prepaid: Fen | None = None
    deposit: Fen | None = None
    advance: Fen = 0
    audit: Fen = 0
    score: Fraction | None = None
    advance_base: Fen | None = None

    def as_data(self) -> dict[str, Any]:
        """What a digest is taken over; amounts in fen."""
        base = {} if self.advance_base is None else {"advance_base": self.advance_base}
        return {
            "prepaid": self.prepaid, "deposit": self.deposit, "advance": self.advance, "audit": self.audit,
            "score": self.score, **base,
        }  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """A budget file. ``hospitals``: (hospital, pool) to what is known of it. ``advance_base``: LAST_YEAR
    where all hospitals get an advance by their dues of last year, else empty. ``regions``: the beginnings of
    the area's region codes, where the file gives them."""

    area: str
    period: str
    pools: Mapping[str, PoolBudget]
    hospitals: Mapping[tuple[str, str], Entry]
    where: str
    advance_base: str = ""
    regions: tuple[str, ...] = ()

    @property
    def yearly(self) -> bool:
        return len(self.period) == 4

    @property
    def first(self) -> date:
        return date(int(self.period[:4]), 1 if self.yearly else int(self.period[5:]), 1)

    @property
    def last(self) -> date:
        """The day whose parameters the settlement takes."""
        year, month = int(self.period[:4]), 12 if self.yearly else int(self.period[5:])
        return date(year, month, monthrange(year, month)[1])

    @property
    def digest(self) -> str:
        """SHA-256 over what the file and its table say."""
        return canonical.digest(self.as_data())

    def as_data(self) -> dict[str, Any]:
        """What a digest is taken over: amounts in fen, under names that stay."""
        return {
            "area": self.area,
            "period": self.period,
            "pools": {name: pool.as_data() for name, pool in self.pools.items()},
            "hospitals": [
                {"hospital_code": hospital, "pool": pool, **entry.as_data()}
                for (hospital, pool), entry in sorted(self.hospitals.items())
            ],
            **({"advance_base": self.advance_base} if self.advance_base else {}),
            **({"regions": self.regions} if self.regions else {}),
        }

    @property
    def owners(self) -> dict[str, str]:
        """A case's pool to the budget's pool that pays it: what tells it for any case, anywhere."""
        return {member: pool.name for pool in self.pools.values() for member in pool.members}

    def owner_sql(self, column: str = "pool", otherwise: str = "") -> str:
        """SQL of it; as in ``pool_names.owner_sql``."""
        return pool_names.owner_sql(self.owners, column, otherwise)

    def pool_of(self, member: str) -> str:
        """The budget's pool that pays a pool of cases.

        Raises UsageError that names the key to add.
        """
        owner = self.owners.get(member)
        if owner is not None:
            return owner
        key = f'"{member}"' if pool_names.part(member) else member
        raise UsageError(
            zh=f"{self.where}：没有基金池 {member} 的预算；请补 [pools.{key}]，或列入某池的 members",
            en=f"{self.where}: no budget for the pool {member}; add [pools.{key}], or name it in "
            "the members of a pool",
        )

    def entry(self, hospital: str, pool: str) -> Entry | None:
        """What is known of a hospital in a pool; a score for all pools stands under pool "*"."""
        own, general = self.hospitals.get((hospital, pool)), self.hospitals.get((hospital, "*"))
        if own is None or own.score is not None or general is None:
            return own
        return replace(own, score=general.score)


@dataclass(frozen=True)
class Distributable:
    """budget = reserve + carve-outs + distributable, in fen."""

    budget: Fen
    reserve: Fen
    carve_outs: Fen

    @property
    def amount(self) -> Fen:
        return self.budget - self.reserve - self.carve_outs


def distributable(pool: PoolBudget, terms: Terms, where: str) -> Distributable:
    """What the pool may spend: budget less reserve (rounded to the fen) less carve-outs.

    Raises UsageError when nothing can be spent.
    """
    reserve = pool.reserve
    if reserve is None:
        rate = terms.otherwise("reserve_rate", "0", pool.members)
        reserve = fen(pool.budget * rate)
    found = Distributable(pool.budget, reserve, sum(c.amount for c in pool.carve_outs))
    if found.amount < 0:
        raise _error(
            where,
            f"pools.{pool.name}",
            "预算不足以扣除调剂金和单列项目",
            "reserve and carve-outs exceed the budget",
        )
    return found


def read_budget(path: str | Path) -> Budget:
    """Read a budget file and the hospital table that it names.

    Raises UsageError that names file and key.
    """
    place = Path(path)
    raw = read_toml(path, flag="--budget")
    return parse_budget(raw, str(path), place.parent)


def parse_budget(raw: Mapping[str, Any], where: str = "budget", folder: Path = Path()) -> Budget:
    """A budget from the tables of its file."""
    format_of(raw, "budget", where, UsageError)
    _known(raw, _KEYS, where, "")
    period = raw.get("period")
    if not isinstance(period, str) or not re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2]))?", period):
        raise _error(where, "period", '应为 "2025" 或 "2025-06"', 'should be "2025" or "2025-06"')
    pools = raw.get("pools")
    if not isinstance(pools, Mapping) or not pools:
        raise _error(where, "pools", "至少要有一个 [pools.名称]", "there must be a [pools.NAME]")
    read = _pools(pools, period, where)
    members = [member for pool in read.values() for member in pool.members]
    for member in members:
        if members.count(member) > 1:
            raise _error(where, "members", f"{member} 属于两个池", f"{member} is in two pools")
    hospitals = _hospitals(raw.get("hospitals", ()), set(read), where, folder)
    advance = raw.get("advance_base", "")
    if advance not in ("", LAST_YEAR):
        raise _error(
            where,
            "advance_base",
            f'只能是 "{LAST_YEAR}"（按上年月均应付预付）；单家医院请在 hospitals 中写 advance_base',
            f'should be "{LAST_YEAR}" (an advance by last year\'s monthly dues); for one hospital, give '
            "advance_base in hospitals",
        )
    regions = _regions(raw.get("regions", ()), where)
    return Budget(str(raw.get("area", "")), period, read, hospitals, where, advance, regions)


def _regions(raw: Any, where: str) -> tuple[str, ...]:
    """Region codes or their beginnings, 2 to 6 digits."""
    good = isinstance(raw, list | tuple) and all(
        isinstance(code, str) and re.fullmatch(r"[0-9]{2,6}", code) for code in raw
    )
    if not good:
        raise _error(
            where,
            "regions",
            '应为行政区划代码或其前几位的列表，例如 ["3311"]',
            'should be a list of region codes or their beginnings, such as ["3311"]',
        )
    return tuple(raw)


def _pools(raw: Mapping[str, Any], period: str, where: str) -> dict[str, PoolBudget]:
    """The pools by name; 职工 or 城乡居民 is the pool that policies call employee or resident."""
    found: dict[str, PoolBudget] = {}
    for given, item in raw.items():
        name = words.pool_named(given, words.POOLS)
        if name in found:
            raise _error(
                where, f"pools.{given}", f"基金池 {name} 写了两次", f"the pool {name} is there twice"
            )
        found[name] = _pool(name, item, period, where, f"pools.{given}")
    return found


def _pool(name: str, raw: Mapping[str, Any], period: str, where: str, key: str) -> PoolBudget:
    _known(raw, _POOL_KEYS, where, key)
    members = raw.get("members", [name])
    if not isinstance(members, list) or not members or not all(isinstance(m, str) for m in members):
        raise _error(where, f"{key}.members", "应为池名列表", "should be a list of pools")
    if any("," in member for member in members):  # lakes list them so
        raise _error(where, f"{key}.members", "池名中不能有逗号", "the name of a pool has no comma")
    reserve = raw.get("reserve")
    return PoolBudget(
        name,
        _budget(raw, period, where, key),
        None if reserve is None else _money(reserve, where, f"{key}.reserve"),
        tuple(
            _carve_out(item, where, f"{key}.carve_outs[{number}]")
            for number, item in enumerate(raw.get("carve_outs", ()), 1)
        ),
        tuple(words.pool_named(member, words.POOLS) for member in members),
        _optional(raw, "point_value", where, key),
        _optional(raw, "pay_ratio", where, key),
        str(raw.get("source", "")),
        _weights(raw, where, key),
        _counties(raw.get("counties", {}), where, f"{key}.counties"),
    )


def _counties(raw: Any, where: str, key: str) -> dict[str, Fraction]:
    """Weights by county, which add up to more than 0."""
    if not isinstance(raw, Mapping):
        raise _error(where, key, '应为 { 县区 = "比重" }', 'should be { COUNTY = "weight" }')
    found = {str(name): _exact(weight, where, f"{key}.{name}") for name, weight in raw.items()}
    if found and not sum(found.values()):
        raise _error(where, key, "比重之和为 0", "the weights add up to 0")
    return found


def _budget(raw: Mapping[str, Any], period: str, where: str, key: str) -> Fen:
    """The budget of the period: given, grown from a base, or a month's part of the year."""
    found: dict[str, Fen] = {}
    if "budget" in raw:
        found["budget"] = _money(raw["budget"], where, f"{key}.budget")
    if "growth_base" in raw or "growth_rate" in raw:
        for needed in ("growth_base", "growth_rate"):
            if needed not in raw:
                raise _error(where, f"{key}.{needed}", "缺失", "is missing")
        base = _money(raw["growth_base"], where, f"{key}.growth_base")
        rate = _exact(raw["growth_rate"], where, f"{key}.growth_rate", signed=True)
        found["growth_base × (1 + growth_rate)"] = fen(base * (1 + rate))
    if "annual_budget" in raw:
        if len(period) == 4:
            raise _error(
                where,
                f"{key}.annual_budget",
                "只用于月度；年度请写 budget",
                "is for months; a year has budget",
            )
        annual = _money(raw["annual_budget"], where, f"{key}.annual_budget")
        found["annual_budget"] = apportion(annual, _weights(raw, where, key))[int(period[5:])]
    elif "month_weights" in raw and len(period) > 4:
        raise _error(
            where,
            f"{key}.month_weights",
            "只用于分配全年预算；请写 annual_budget",
            "shares out the budget of a year: give annual_budget",
        )
    if not found:
        raise _error(where, f"{key}.budget", "缺失", "is missing")
    if len(set(found.values())) > 1:
        told = ", ".join(f"{name} = {yuan_of(amount)}" for name, amount in found.items())
        raise _error(where, key, f"预算互相矛盾：{told}", f"the budgets contradict each other: {told}")
    return next(iter(found.values()))


def _weights(raw: Mapping[str, Any], where: str, key: str) -> dict[int, Fraction]:
    """The weights of the twelve months, equal unless given."""
    weights = raw.get("month_weights", [1] * _MONTHS)
    if not isinstance(weights, list) or len(weights) != _MONTHS:
        raise _error(where, f"{key}.month_weights", "应为 12 个数", "should be 12 numbers")
    return {n: _exact(w, where, f"{key}.month_weights[{n}]") for n, w in enumerate(weights, 1)}


def _carve_out(raw: Any, where: str, key: str) -> CarveOut:
    if not isinstance(raw, Mapping):
        raise _error(where, key, "应为 { name, amount, source }", "should be { name, amount, source }")
    _known(raw, {"name", "amount", "source"}, where, key)
    for needed in ("name", "amount", "source"):
        if not raw.get(needed) and raw.get(needed) != 0:
            raise _error(where, f"{key}.{needed}", "缺失", "is missing")
    return CarveOut(str(raw["name"]), _money(raw["amount"], where, f"{key}.amount"), str(raw["source"]))


def _hospitals(raw: Any, pools: set[str], where: str, folder: Path) -> dict[tuple[str, str], Entry]:
    """Inline tables, or the name of a CSV beside the file."""
    if isinstance(raw, str):
        where, rows = str(folder / raw), _csv(folder / raw)
    else:
        rows = [(f"hospitals[{number}]", item) for number, item in enumerate(raw, 1)]
    found: dict[tuple[str, str], Entry] = {}
    for key, row in rows:
        _known(row, set(_HOSPITAL_KEYS), where, key)
        hospital = str(row.get("hospital_code") or "")
        pool = words.pool_named(str(row.get("pool") or ""), pools)
        if not hospital:
            raise _error(where, f"{key}.hospital_code", "缺失", "is missing")
        if pool not in pools and pool != "*":
            known = words.pools_told(pools)
            raise _error(
                where,
                f"{key}.pool",
                f"{pool!r} 不是预算中的池；可用：{known}",
                f"{pool!r} is no pool of the budget; known are {known}",
            )
        if (hospital, pool) in found:
            raise _error(where, key, f"{hospital}、{pool} 重复", f"{hospital}, {pool} is there twice")
        given = {n: _money(row[n], where, f"{key}.{n}") for n in _AMOUNTS if row.get(n) not in (None, "")}
        if pool == "*" and given:
            raise _error(where, f"{key}.pool", "金额须写明基金池", "amounts must name their pool")
        score = row.get("score")
        found[hospital, pool] = Entry(
            given.get("prepaid"),
            given.get("deposit"),
            given.get("advance", 0),
            given.get("audit", 0),
            None if score in (None, "") else _exact(score, where, f"{key}.score"),
            given.get("advance_base"),
        )
    return found


def _csv(path: Path) -> Sequence[tuple[str, dict[str, str]]]:
    return [(f"row {row.row}", dict(row.cells)) for row in read_table(path, headings=headings())]


def _optional(raw: Mapping[str, Any], name: str, where: str, key: str) -> Fraction | None:
    return _exact(raw[name], where, f"{key}.{name}") if name in raw else None


def _money(value: Any, where: str, key: str) -> Fen:
    """Fen of an amount in yuan that is not negative."""
    if isinstance(value, str) and money_text(value) is None and decimal_of(value) is None:
        raise _error(where, key, *not_money(value))
    exact = _exact((isinstance(value, str) and money_text(value)) or value, where, key) * 100
    if exact.denominator != 1:
        raise _error(where, key, f"{value} 不是整分", f"{value} has parts of a fen")
    return exact.numerator


def _exact(value: Any, where: str, key: str, signed: bool = False) -> Fraction:
    number = decimal_of(value)
    if number is not None and (signed or number >= 0):
        return Fraction(number)
    raise _error(
        where,
        key,
        f'{value!r} 应为不小于 0 的数；小数请加引号写作文本，例如 "0.85"',
        f'{value!r} should be a number of at least 0; write decimals as texts, such as "0.85"',
    )


def _known(raw: Any, known: set[str], where: str, key: str) -> None:
    if not isinstance(raw, Mapping):
        raise _error(where, key, "应为表", "should be a table")
    for name in raw:
        if name not in known:
            dotted = f"{key}.{name}" if key else name
            raise _error(
                where,
                dotted,
                f"未知的键；可用 {'、'.join(sorted(known))}",
                f"unknown key; there are {', '.join(sorted(known))}",
            )


def _error(where: str, key: str, zh: str, en: str) -> UsageError:
    return UsageError(zh=f"{where}：{key}：{zh}", en=f"{where}: {key}: {en}")
