"""The current tables of a lake, as the measures read them; what lacks is said, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.sql import literal
from grouper.watch import said
from grouper.watch.facts import Facts
from grouper.watch.periods import Month, Period, name_months

if TYPE_CHECKING:
    import duckdb

POOLS, RECORDS = "pools_current", "records_current"
# The cases of the last valid runs, without those that a later adjustment replaced where the lake knows that.
CASES = ("cases_effective", "cases_current")
FUND = "settled_fund"
_DAY = "pay_date"  # the day that says which month a case belongs to


class Lacking(Exception):
    """An indicator cannot be computed: what it lacks, in Chinese and English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


class Current:
    """Views ``cases_effective`` (else ``cases_current``) and ``pools_current`` for one area, with the user's
    facts."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, area: str, facts: Facts) -> None:
        self.connection, self.area, self.facts = connection, area, facts
        self._columns: dict[str, frozenset[str]] = {}

    @cached_property
    def case_view(self) -> str:
        """The view of cases that is read."""
        return next((view for view in CASES if self.columns(view)), CASES[-1])

    @cached_property
    def months(self) -> frozenset[Month]:
        """The months whose cases the lake has."""
        if not self.columns(self.case_view):
            return frozenset()
        rows = self.query(
            f"SELECT DISTINCT CAST(year AS INTEGER), CAST(month AS INTEGER) FROM {self.case_view} "
            f"WHERE area = {literal(self.area)}"
        )
        return frozenset((year, month) for year, month in rows if month)

    def areas(self) -> list[str]:
        """The areas whose cases the lake has."""
        if not self.columns(self.case_view):
            return []
        return [area for (area,) in self.query(f"SELECT DISTINCT area FROM {self.case_view} ORDER BY 1")]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def row(self, sql: str) -> tuple[Any, ...]:
        """The one row of an aggregate."""
        return self.query(sql)[0]

    def columns(self, view: str) -> frozenset[str]:
        """The columns of a view; none where the lake has no such view."""
        if view not in self._columns:
            known = self.query(f"SELECT 1 FROM duckdb_views() WHERE view_name = {literal(view)}")
            known += self.query(f"SELECT 1 FROM duckdb_tables() WHERE table_name = {literal(view)}")
            names = self.connection.sql(f"SELECT * FROM {view} LIMIT 0").columns if known else []
            self._columns[view] = frozenset(names)
        return self._columns[view]

    def need(self, period: Period) -> None:
        """Raises Lacking when months of a period are not in the lake."""
        absent = set(period.months) - self.months
        if absent:
            names = name_months(absent)
            raise Lacking(
                f"还没有结算 {said.months(names)}；这些月份结算后即可计算", f"the lake lacks {names}"
            )

    def has(self, column: str) -> bool:
        """A column of the cases, of their priced or of their recorded part."""
        return column in self.columns(self.case_view) or column in self._recorded

    @cached_property
    def _recorded(self) -> frozenset[str]:
        """The columns that the table of records adds to the cases."""
        keys, records = {"run", "record_id"}, self.columns(RECORDS)
        if not (keys <= records and keys <= self.columns(self.case_view)):
            return frozenset()
        return records - self.columns(self.case_view)

    def pools(self, period: Period, columns: Sequence[str]) -> str:
        """SQL of the pools of a period. Raises Lacking for months and columns."""
        self.need(period)
        _there(POOLS, columns, self.columns(POOLS))
        return f"(SELECT * FROM {POOLS} WHERE {self._of(period)})"

    def cases(
        self,
        period: Period,
        columns: Sequence[str],
        statuses: Sequence[str],
        insurance: Sequence[str] = (),
    ) -> str:
        """SQL of the cases of a period with these statuses of payment (and insurance types).

        A case counts in its own month, whichever later run corrected it or brought it late. Columns that the
        priced cases lack come from their records. Raises Lacking for months and columns.
        """
        self.need(period)
        tests = [self._belongs(period, _DAY), one_of("pay_status", statuses)]
        wanted = ["pay_status", *columns]
        if insurance:
            tests.append(one_of("insurance_type", insurance))
            wanted.append("insurance_type")
        _there(self.case_view, wanted, self.columns(self.case_view) | self._recorded)
        added = sorted(set(wanted) & self._recorded)
        view = self.case_view
        if added:
            names = ", ".join(added)
            day = "discharge_date" if "discharge_date" in self.columns(RECORDS) else ""
            records = f"SELECT run, record_id, {names} FROM {RECORDS} WHERE {self._belongs(period, day)}"
            view = (
                f"(SELECT c.*, {names} FROM {view} AS c LEFT JOIN ({records}) AS r "
                "ON r.run = c.run AND r.record_id = c.record_id)"
            )
        own = f" REPLACE (year({_DAY}) AS year, month({_DAY}) AS month)" if self._dated else ""
        return f"(SELECT *{own} FROM {view} AS own WHERE {' AND '.join(tests)})"

    @property
    def _dated(self) -> bool:
        """The cases say which month they belong to; else it is that of their folder."""
        return _DAY in self.columns(self.case_view)

    def _belongs(self, period: Period, day: str) -> str:
        """SQL: of the period by the column ``day``. A row is in the folder of its month or of a later one."""
        if not (self._dated and day):
            return self._of(period)
        first, last = (date(period.year, month, 1) for month in (period.first, period.last))
        return (
            f"area = {literal(self.area)} AND CAST(year AS INTEGER) * 12 + CAST(month AS INTEGER) "
            f">= {period.year * 12 + period.first} "
            f"AND {day} >= DATE '{first}' AND {day} < DATE '{last}' + INTERVAL 1 MONTH"
        )

    def _of(self, period: Period) -> str:
        return (
            f"area = {literal(self.area)} AND CAST(year AS INTEGER) = {period.year} "
            f"AND CAST(month AS INTEGER) BETWEEN {period.first} AND {period.last}"
        )

    def fact(self, name: str, period: Period, insurance: Sequence[str] = ()) -> Decimal:
        """A fact of the user's file. Raises Lacking."""
        found = self.facts.value(name, period, insurance)
        if found is None:
            of = "+".join(insurance)
            zh = said.fact(name)[0]
            raise Lacking(
                f"缺外部数据：{zh}（{period}{f'，险种 {of}' if of else ''}）；请基金财务部门提供，"
                "填入外部数据文件后即可计算",
                f"lacks the fact {name} for {period}{f', insurance {of}' if of else ''}; give it by --facts",
            )
        return found


def _there(view: str, wanted: Sequence[str], found: frozenset[str]) -> None:
    absent = [name for name in wanted if name not in found]
    if absent:
        zh, en = said.columns(absent)
        raise Lacking(
            f"结算数据中没有：{zh}；请在上报的结算清单中补上（列映射见《记录》），重新结算后即可计算",
            f"{view} lacks {', '.join(absent)} ({en}); settle with lists that have it",
        )


def one_of(column: str, values: Sequence[str]) -> str:
    """SQL: the column is one of ``values``."""
    return f"{column} IN ({', '.join(literal(value) for value in values)})"


def open_lake(
    folder: str | Path, connection: duckdb.DuckDBPyConnection | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection with the views of a lake folder. Raises UsageError where there is no lake."""
    from grouper.lake import layout, views

    return views.connect(layout.Lake(Path(folder)), connection=connection)
