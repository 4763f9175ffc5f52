"""What the lake cannot know: income, balances, whole expenditure, outpatient sums; given by the user.

    area = "lishui"
    source = "基金月报 2025-06"

    [accumulated_balance]
    "2025-06" = "812000000.00"

    [expenditure]
    "2024" = { 310 = "3100000000", 390 = "2050000000" }
    "2025Q1" = "1300000000"

Amounts in yuan as texts or whole numbers, for all insurance types or by insurance type. A flow that is not
given for a period is the sum of the shorter ones; a stock is that of the last month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from grouper.base.errors import DataError, UsageError
from grouper.base.exact import decimal_of, fits
from grouper.base.formats import KEY, format_of
from grouper.base.toml_in import read_toml
from grouper.watch.periods import Period, parse_period

STOCKS = frozenset({"accumulated_balance"})  # as they stand at the end of a period
ALL = ""  # every insurance type


@dataclass(frozen=True)
class Facts:
    """``values``: (name, period) to yuan by insurance type, or under ALL."""

    area: str = ""
    source: str = ""
    where: str = ""
    values: Mapping[tuple[str, Period], Mapping[str, Decimal]] = field(default_factory=dict)

    def value(self, name: str, period: Period, insurance: Sequence[str] = ()) -> Decimal | None:
        """A fact for a period (``insurance``: only these types), None where the file does not say.

        Raises DataError when a period and its parts are both given and differ.
        """
        own = self._own(name, period, insurance)
        if name in STOCKS:
            last = Period(period.year, period.last, 1)
            return own if own is not None or period == last else self._own(name, last, insurance)
        for parts in period.split():
            amounts = [self.value(name, part, insurance) for part in parts]
            known = [amount for amount in amounts if amount is not None]
            if len(known) < len(parts):
                continue
            if own is None:
                return sum(known, Decimal(0))
            if own != sum(known):
                raise DataError(
                    zh=f"{self.where}：{name} 的 {period} 为 {own}，与其各段之和 {sum(known)} 不等",
                    en=f"{self.where}: {name} is {own} for {period}, but its parts add up to {sum(known)}",
                )
        return own

    def _own(self, name: str, period: Period, insurance: Sequence[str]) -> Decimal | None:
        given = self.values.get((name, period))
        if given is None:
            return None
        if not insurance:
            return sum(given.values(), Decimal(0))
        if not all(kind in given for kind in insurance):
            return None
        return sum((given[kind] for kind in insurance), Decimal(0))


def read_facts(path: str | Path, area: str) -> Facts:
    """Read a facts file. Raises UsageError that names file and key, also when it is of another area."""
    where = str(path)
    raw = read_toml(path, flag="--facts")
    format_of(raw, "watch", f"--facts {where}", UsageError)
    if raw.get("area") != area:
        raise UsageError(
            zh=f"--facts {where}：area 为 {raw.get('area')!r}，应为 {area!r}",
            en=f"--facts {where}: area is {raw.get('area')!r} and should be {area!r}",
        )
    if not isinstance(raw.get("source"), str) or not raw["source"]:
        raise _wrong(where, "source", raw.get("source"), "出处", "where the figures come from")
    values = {}
    for name, table in raw.items():
        if name in ("area", "source", KEY):
            continue
        if not isinstance(table, Mapping):
            raise _wrong(where, name, table, "按期间列出的表", "a table by period")
        for text, given in table.items():
            period = parse_period(text, f"--facts {where}: {name}")
            values[name, period] = _amounts(where, f"{name}.{text}", given)
    return Facts(area, raw["source"], where, values)


def _amounts(where: str, key: str, given: Any) -> dict[str, Decimal]:
    if not isinstance(given, Mapping):
        return {ALL: _amount(where, key, given)}
    if not given:
        raise _wrong(where, key, given, "按险种列出的表", "a table by insurance type")
    return {str(kind): _amount(where, f"{key}.{kind}", amount) for kind, amount in given.items()}


def _amount(where: str, key: str, given: Any) -> Decimal:
    amount = decimal_of(given)
    if amount is not None and fits(amount, 2):
        return amount
    raise _wrong(where, key, given, '元，写作文本，例如 "1200.50"', 'yuan, as a text such as "1200.50"')


def _wrong(where: str, key: str, value: Any, zh: str, en: str) -> UsageError:
    return UsageError(
        zh=f"--facts {where}：{key} 为 {value!r}，应为{zh}",
        en=f"--facts {where}: {key} is {value!r} and should be {en}",
    )
