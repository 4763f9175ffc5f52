"""What a report is made from: the five tables of a run as DuckDB views, and the run's own record.

Tables come as paths of Parquet files (docs/settlement.md gives their columns). A table without files is
empty; a column that a table may lack reads as null, so that a policy without points or weights needs no
branch in the queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import UsageError
from grouper.base.scratch import spill_folder
from grouper.base.sql import rows_of, scan
from grouper.base.whole import refuse_input
from grouper.payment.price.causes import cause_sql
from grouper.report.numbers import OF_METHODS, Lang

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Row = dict[str, Any]

_MONEY = "DECIMAL(38,2)"
_POINTS = "DECIMAL(38,6)"
_TEXT, _COUNT = "VARCHAR", "BIGINT"
# Columns that the reports read, with the type they read them as.
COLUMNS: dict[str, dict[str, str]] = {
    "cases": {
        **dict.fromkeys(
            ("record_id", "settlement_id", "person_id", "hospital_code", "pool", "group", "group_name",
             "price_group", "status", "reason", "route", "method", "outlier", "pay_status", "pay_reason",
             "row_kind", "admission_date", "discharge_date", "input_file", "offsite"), _TEXT
        ),
        "pay_date": "DATE",
        "los_days": _COUNT,
        **dict.fromkeys(("weight", "base", "standard", "cost_ratio", "high_limit", "coefficient",
                         "base_rate"), _POINTS),
        **dict.fromkeys(("case_value", "settled_points"), _POINTS),
        **dict.fromkeys(
            ("total_cost", "cost_considered", "pool_paid", "person_paid", "other_funds", "amount",
             "settled_fund", "settled_amount", "settled_income"), _MONEY
        ),
    },
    "hospitals": {
        **dict.fromkeys(("hospital_code", "hospital_name", "hospital_level", "county", "pool"), _TEXT),
        **dict.fromkeys(("cases", "paid", "held", "outside", "high_cases", "low_cases"), _COUNT),
        **dict.fromkeys(
            ("by_group", "by_tcm", "by_per_diem", "by_quota", "by_by_item", "by_by_cost"), _COUNT
        ),
        **dict.fromkeys(("offsite_own_cases", "offsite_visitor_cases"), _COUNT),
        **dict.fromkeys(("offsite_own_fund", "offsite_visitor_fund"), _MONEY),
        "cmi": "DECIMAL(18,4)",
        "points": _POINTS,
        "clauses": _TEXT,
        "score": _TEXT,
        "paid_months": _TEXT,
        **dict.fromkeys(
            ("total_cost", "paid_cost", "income", "person_paid", "other_funds", "fund_by_item", "fund_due",
             "difference", "deposit", "prepaid", "deferred", "advance", "audit", "payable", "carried",
             "balance", "returned", "forfeited", "final", "adjustments", "due_total", "carried_in",
             "earlier_years", "paid_later", "advanced"), _MONEY
        ),
    },
    "pools": {
        **dict.fromkeys(("pool", "method", "bound", "point_value", "point_value_exact", "clauses"), _TEXT),
        **dict.fromkeys(("cases", "paid", "held", "outside", "sharing_segment"), _COUNT),
        "points": _POINTS,
        **dict.fromkeys(
            ("total_cost", "income", "person_paid", "other_funds", "fund_by_item", "fund_due", "budget",
             "reserve", "carve_outs", "distributable", "total", "fund_balance", "by_points", "fixed",
             "residual", "offsite_set_apart", "offsite_used", "offsite_left", "offsite_visitor_fund"), _MONEY
        ),
    },
    "rejected": {
        **dict.fromkeys(
            ("input_file", "record_id", "settlement_id", "hospital_code", "reason", "reason_text_zh",
             "reason_text_en", "treatment"), _TEXT
        ),
        "input_row": _COUNT,
        "total_cost": _MONEY,
    },
    "adjustments": {
        **dict.fromkeys(
            ("adjustment_id", "kind", "record_id", "settlement_id", "original_run", "original_period",
             "hospital_code", "pool", "reason", "clause", "source_file", "document"), _TEXT
        ),
        **dict.fromkeys(("points_before", "points_after"), _POINTS),
        "score": _TEXT,
        **dict.fromkeys(("amount_before", "amount_after", "difference", "total_cost"), _MONEY),
    },
    "records": dict.fromkeys(("record_id", "record_no"), _TEXT),
}  # fmt: skip
# The numbers of charts, where records have them.
_NUMBERS = (
    "CREATE TEMP TABLE charts AS SELECT record_id, max(record_no) AS record_no FROM records "
    "WHERE record_no IS NOT NULL GROUP BY 1"
)
_SMALL = 50_000  # rows that may be kept in memory
_REQUIRED = ("run", "kind", "area", "period", "software", "policy")


CAUSE = cause_sql(COLUMNS["cases"])  # SQL: why a case is not paid


@dataclass(frozen=True)
class Paths:
    """Parquet files of a run, by table; relative or absolute. ``records``: those of its cases and of the
    cases that its adjustments concern, for the numbers of charts (病案号)."""

    cases: Sequence[str]
    hospitals: Sequence[str]
    pools: Sequence[str]
    rejected: Sequence[str] = ()
    adjustments: Sequence[str] = ()
    records: Sequence[str] = ()

    def items(self) -> Iterator[tuple[str, Sequence[str]]]:
        for name in COLUMNS:
            yield name, getattr(self, name)


@dataclass(frozen=True)
class RunInfo:
    """The record of a run, as the ledger has it.

    ``area_name``: the area in Chinese and English, where it has a name; ``software`` {name, version};
    ``scheme`` {id, sha256}; ``policy`` {id, name, name_en, sha256, method};
    ``inputs`` [{role, path, bytes, sha256}]; ``parameters`` [{name, value, source, article, verified, ...}];
    ``codes``: what was found of codes ("diagnosis:unknown") and how often;
    ``reviews``: what became of special reviews, with cases and fen of cost;
    ``assumed``: column or parameter to the default that stood for it; ``routes``: route to its (zh, en);
    ``indicators``: of the fund watch, [{zh, en, value, unit (zh, en), limit, state (zh, en), definition_zh,
    definition_en, source}]. ``pseudonymised``: person ids are keyed hashes and may be shown. ``when`` and
    ``who`` as given by the user, never read from a clock. ``seal``: the hash of the run in the chain of its
    lake, without its reports. ``draft``: nobody had approved it when the papers were made, and they say so.
    ``review_quota``: special reviews of the month in the area: allowed, discharges, used.
    ``objections``: of the periods whose statements were sent by then, [{period, deadline, total, states:
    {(zh, en): number}}]. ``history``: the periods of this year and the last, a row for each and pool
    (settlement.history); ``year_budget``: yuan of the whole year by pool, where it is known. ``months``: what
    each month of the year so far shared out and paid, by hospital and pool; ``deadline``: the last day of
    objections.
    """

    run: str
    kind: str
    area: str
    period: str
    software: Mapping[str, Any]
    policy: Mapping[str, Any]
    scheme: Mapping[str, Any] = field(default_factory=dict)
    who: str = ""
    when: str = ""
    note: str = ""
    inputs: Sequence[Mapping[str, Any]] = ()
    parameters: Sequence[Mapping[str, Any]] = ()
    assumed: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    indicators: Sequence[Mapping[str, Any]] = ()
    pseudonymised: bool = False
    seal: str = ""
    area_name: Sequence[str] = ()
    codes: Mapping[str, int] = field(default_factory=dict)
    reviews: Mapping[str, Sequence[int]] = field(default_factory=dict)
    draft: bool = False
    review_quota: Mapping[str, int] = field(default_factory=dict)
    objections: Sequence[Mapping[str, Any]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    year_budget: Mapping[str, Decimal] = field(default_factory=dict)
    months: Sequence[Mapping[str, Any]] = ()
    deadline: str = ""

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> RunInfo:
        """From a mapping; keys that reports do not use are left aside.

        Raises UsageError when one is missing that every report shows.
        """
        for name in _REQUIRED:
            if raw.get(name) in (None, ""):
                raise UsageError(
                    zh=f"run_info 缺 {name}，报告须写明它",
                    en=f"run_info has no {name}, which reports must tell",
                )
        known = {name: raw[name] for name in cls.__dataclass_fields__ if raw.get(name) is not None}
        return cls(**known)

    def place(self, t: Lang) -> str:
        """The area as people call it, else its id."""
        return t(*self.area_name) if self.area_name else self.area

    def draft_mark(self, t: Lang) -> str:
        """What papers of a draft say beside their title; empty otherwise."""
        return t("草稿，未经审批", "draft, not approved") if self.draft else ""

    def lang(self, code: str) -> Lang:
        """The language, in the words of the way of paying."""
        return Lang(code, OF_METHODS.get(str(self.policy.get("method", "")), ""))

    @property
    def yearly(self) -> bool:
        return len(self.period) == 4

    @property
    def unverified(self) -> list[Mapping[str, Any]]:
        """Parameters used that nobody checked, each clause once, with its value where one is told."""
        found: dict[tuple[str, ...], Mapping[str, Any]] = {}
        for p in self.parameters:
            key = tuple(str(p.get(name) or "") for name in ("name", "source", "article"))
            assumed = p.get("source") == "assumed" and p.get("name") in self.assumed
            told = key in found and found[key].get("value")
            if not (p.get("verified") or assumed or told):
                found[key] = p
        return [found[key] for key in sorted(found)]


@dataclass(frozen=True)
class ReportData:
    """The tables and the record of one run."""

    paths: Paths
    info: RunInfo
    threads: int | None = None
    _held: list[Query] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def from_paths(
        cls, paths: Paths, run_info: Mapping[str, Any], *, threads: int | None = None
    ) -> ReportData:
        """Raises UsageError for a file that is not there or a record that lacks what reports tell."""
        for _, files in paths.items():
            for path in files:
                if not Path(path).is_file():
                    raise UsageError(zh=f"没有文件 {path}", en=f"there is no file {path}")
        return cls(paths, RunInfo.read(run_info), threads)

    def place(self, path: Path) -> Path:
        """A file that a report is written to. Raises UsageError for one that the report is made from."""
        refuse_input(path, [file for _, files in self.paths.items() for file in files])
        return path

    @contextmanager
    def open(self) -> Iterator[Query]:
        """The tables as views; one connection for all queries of a report.

        ``charts``: record_id and number of the chart. ``cases``: what the period settles. Late and corrected
        cases of closed months, which a month's table carries beside its own and which enter it as
        adjustments, are in ``all_cases`` only. Within another ``open`` it is the same connection.
        """
        import duckdb

        if self._held:
            yield self._held[0]
            return
        with duckdb.connect(config={"temp_directory": spill_folder()}) as connection:
            if self.threads:
                connection.execute(f"SET threads = {int(self.threads)}")
            for name, files in self.paths.items():
                _view(connection, name, files)
            own = "" if self.info.yearly else "WHERE coalesce(row_kind, 'case') = 'case'"
            connection.execute(_NUMBERS)
            connection.execute(f"CREATE TEMP VIEW cases AS SELECT * FROM all_cases {own}")
            self._held.append(Query(connection))
            try:
                yield self._held[0]
            finally:
                self._held.clear()


class Query:
    """The views of a run: rows of a query as dictionaries."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        done = self._connection.execute(sql, list(parameters))
        names = [item[0] for item in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Row:
        return self.rows(sql, parameters)[0]

    def table(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Rows as columns, for outputs that are written from columns."""
        return self._connection.sql(sql, params=list(parameters)).to_arrow_table()

    def stream(self, sql: str, parameters: Sequence[Any] = (), size: int = 10_000) -> Iterator[list[Any]]:
        """Rows as lists, a few at a time, for outputs as long as the table."""
        done = self._connection.execute(sql, list(parameters))
        while rows := done.fetchmany(size):
            yield from (list(row) for row in rows)


def _view(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[str]) -> None:
    """View ``name`` with all columns of COLUMNS, null where the files lack one; a table where it is small,
    as reports of many hospitals look at it many times."""
    wanted = COLUMNS[name]
    view = "all_cases" if name == "cases" else name
    if not files:
        empty = ", ".join(f'CAST(NULL AS {kind}) AS "{column}"' for column, kind in wanted.items())
        connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {empty} WHERE FALSE")
        return
    source = scan(*files)
    have = set(connection.sql(f"SELECT * FROM {source} LIMIT 0").columns)
    columns = [
        f'CAST({f"{chr(34)}{column}{chr(34)}" if column in have else "NULL"} AS {kind}) AS "{column}"'
        for column, kind in wanted.items()
    ]
    rows = rows_of(*files)
    kind = "TABLE" if rows <= _SMALL else "VIEW"
    connection.execute(f"CREATE TEMP {kind} {view} AS SELECT {', '.join(columns)} FROM {source}")


def plain(value: Any) -> Decimal:
    """An amount that may be null, as a number."""
    return Decimal(0) if value is None else Decimal(value)
