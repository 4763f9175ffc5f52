"""The table of cases in DuckDB: grouped files, hospitals and decisions joined, checked before pricing."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import DataError, ReconciliationError, UsageError
from grouper.base.money import cost_columns, refuse
from grouper.base.sql import literal
from grouper.base.written import day, is_text
from grouper.payment.formula import keyed
from grouper.payment.policy import pool_names
from grouper.payment.price.accepted import policy_words
from grouper.payment.price.cells import check_cells
from grouper.payment.price.decided import WORDS as DECISION_WORDS
from grouper.payment.price.decisions import Decision, decisions
from grouper.payment.price.gated import asked, in_force, pass_cases, split
from grouper.payment.price.grouped import are_texts, headers, parquet_files, row_in, scan_of, sizes
from grouper.payment.price.hospital_table import read_hospitals
from grouper.payment.price.inputs import INPUTS, PLACE, Files, input_sql, missing, sources
from grouper.payment.price.listed import lists_of
from grouper.payment.price.named_cases import named_cases
from grouper.payment.price.record_words import WORD_FIELDS, Words, check_decided
from grouper.payment.price.same_columns import check_columns
from grouper.payment.price.scheme_check import check_scheme, schemes_of, stay_of
from grouper.records.gate import JOINED, PART
from grouper.records.missing import missing_field
from grouper.records.stays import Gated

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

HOSPITAL_COLUMNS = ("hospital_level", "hospital_kind", "county", "hospital_coefficient", "alliance")
_PARTS = ("county", "alliance", "region_code")
SETTLED_BY_ITEM = ("pool_paid", "fund_paid")  # without them cases have amounts, but no due of the fund
DATES = ("discharge_date", "settlement_date")
KEPT = ("hospital_level", "reason")  # for people: an explanation, and why a grouping holds a case
CONTEXT = "~context"  # hospital of rows that only say when a person came again; the area does not count them


@dataclass
class Cases:
    """A view ``cases`` over the inputs. ``assumed``: columns that no input has, with what stands for them.

    ``gated``: what the gate found, where it was asked; ``rows`` and ``total_cost`` are of the cases.
    ``outside``: first and last day of cases on which the policy does not apply; they are none of ``rows``.
    ``sizes``: rows of each path of the inputs.
    """

    rows: int
    first: datetime.date
    last: datetime.date
    total_cost: int  # fen
    columns: list[str]
    assumed: dict[str, str] = field(default_factory=dict)
    gated: Gated | None = None
    scheme_differs: dict[str, Any] | None = None
    outside: tuple[datetime.date, datetime.date] | None = None
    sizes: list[int] = field(default_factory=list)

    @property
    def all_rows(self) -> int:
        """The rows of the inputs, of which ``rows`` are cases."""
        return self.gated.rows if self.gated else self.rows

    @property
    def all_cost(self) -> int:
        """Fen of all rows as they come out: a bill that was joined counts in its stay as well."""
        if self.gated is None:
            return self.total_cost
        return self.total_cost + sum(fen for _, fen in self.gated.left.values())


def open_cases(
    connection: duckdb.DuckDBPyConnection, files: Files, wanted: Sequence[str], policy: Policy
) -> Cases:
    """Make the view ``cases`` with the columns ``wanted``, ``pay_date`` and ``row_number``.

    Raises UsageError for a missing column, DataError that names row and column for a bad amount or
    date, a repeated record_id, or a decision about a case that is not there.
    """
    scan = scan_of(connection, files.paths)
    schema = connection.sql(f"SELECT * EXCLUDE ({PLACE}) FROM {scan} LIMIT 0").to_arrow_table().schema
    differs = None
    if files.gate is not None:  # else it was asked at another door
        parts = [] if are_texts(files.paths) else parquet_files(files.paths)
        differs = check_scheme(policy, schemes_of(connection, scan, schema, parts), files.scheme_differs)
    sources = _sources(schema, files)
    hospitals = _hospitals(connection, files.hospitals, policy)
    decided, by_case = _decisions(connection, scan, sources, files.decisions, policy)
    words = Words(connection, scan, files, policy)
    stay = files.stay or stay_of([] if are_texts(files.paths) else parquet_files(files.paths))
    lists = lists_of(files.columns, schema)
    reading = _Reading(schema, sources, hospitals, by_case, words, stay, lists)
    if sources.get("record_id") == sources.get("settlement_id", ""):
        reading.assumed["record_id"] = "settlement_id"
    if files.gate is not None:  # settle has checked its decisions
        there = {name: column for name, column in sources.items() if column in schema.names}
        check_decided(connection, scan, there, files, policy)
        own = {name: c for name, c in sources.items() if name not in hospitals and name not in by_case}
        check_columns(headers(connection, files.paths), own, (*wanted, files.date))
    windows = [name for name in wanted if INPUTS[name].kind == "window"]
    select, lacking = [], []
    for name in wanted:
        if name in windows:
            continue
        sql = reading.column(name)
        if sql is None and name in SETTLED_BY_ITEM and files.gate is not None:
            sql, reading.assumed[name] = "NULL::BIGINT", "NULL"  # the value of a case does not need it
        if sql is None:
            lacking.append(missing_field(name, schema.names))
            continue
        if name in _PARTS and "region_code" in wanted:  # pools are by county or alliance
            sql = pool_names.part_sql(sql)
        select.append(f'{sql} AS "{name}"')
    if lacking:
        zh, en = "、".join(m.zh for m in lacking), ", ".join(m.en for m in lacking)
        raise missing(zh, en, files.paths[0], policy.id)
    beside = {} if files.gate is None else _beside(reading, set(wanted))  # a month has them from its records
    select += [f'{sql} AS "{name}"' for name, sql in beside.items()]
    if "readmitted_after" in windows and "discharge_way" not in wanted:
        way = reading.column("discharge_way")  # tells an ordered transfer, where the file has it
        select += [f'{way} AS "discharge_way"'] if way is not None else []
    select.append(f"{_date(files, schema, sources)} AS pay_date")
    body = f"SELECT {', '.join(select)}, t.{PLACE} FROM {scan} AS t"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW all_rows AS {body}")
    _check_amounts(connection, scan, reading.faults, files)
    check_cells(connection, scan, [*reading.plain, *_dated(files, schema, sources)], files.paths)
    gated, outside = None, None
    if files.gate is None:
        connection.execute("CREATE OR REPLACE TEMP VIEW plain_cases AS FROM all_rows")
    else:
        own = {name: sql for name in ("record_id", "total_cost") if (sql := reading.column(name))}
        gated = pass_cases(connection, scan, schema, files, own)
        split(connection, gated, [name for name in wanted if name not in windows])
        outside = in_force(connection, gated, policy)
    found = _survey(connection, files, decided)
    _agree(found, gated)
    found.scheme_differs, found.outside = differs, outside
    _windows(connection, windows, policy, found)
    found.assumed = reading.assumed
    found.columns = [name for name in INPUTS if name in wanted or name in beside]
    found.sizes = sizes(connection, files.paths)
    return found


def _beside(reading: _Reading, wanted: Collection[str]) -> dict[str, str]:
    """SQL of columns that tell of a case what the policy does not ask: KEPT, where the inputs have them.

    No amount hangs on them, so a word that nobody knows stays as it is written.
    """
    found = {}
    for name in KEPT:
        if name in wanted:
            continue
        try:
            sql = reading.column(name)
        except DataError:
            sql = f"CAST({_own(name, reading.schema, reading.sources)} AS VARCHAR)"
        if sql is not None:
            found[name] = sql
    return found


def _agree(found: Cases, gated: Gated | None) -> None:
    """Cases and their cost are what the gate let through, with what was joined into them."""
    found.gated = gated
    if gated is None:
        return
    joined = sum(gated.left.get(reason, (0, 0))[1] for reason in (JOINED, PART))
    cost = gated.fen - sum(fen for _, fen in gated.left.values()) + joined
    if (found.rows, found.total_cost) != (gated.cases, cost):
        raise ReconciliationError(
            zh=f"对不上：应有病例 {gated.cases} 例 {cost} 分，实有 {found.rows} 例 {found.total_cost} 分；"
            "没有写出结果",
            en=f"does not add up: {gated.cases} cases and {cost} fen due, {found.rows} and "
            f"{found.total_cost} found; nothing was written",
        )


def _sources(schema: pa.Schema, files: Files) -> dict[str, str]:
    """Canonical name -> column of the file, where one column gives the field."""
    from grouper.records.columns import detect_layout

    header = schema.names
    if files.columns is not None:
        bound = files.columns.bind(header)
    elif "diagnoses" in header or "record_id" in header:
        return {name: name for name in header} | _ids(header)
    else:
        bound = detect_layout(header)
    found = {name: name for name in header}
    found |= {
        name: source.columns[0]
        for name, source in bound.fields.items()
        if len(source.columns) == 1 and not source.transform
    }
    return found | _ids(found, found)


def _ids(names: Collection[str], sources: Mapping[str, str] | None = None) -> dict[str, str]:
    """A record without an id of its own goes by that of its settlement, as in ``settle``."""
    if "record_id" in names or "settlement_id" not in names:
        return {}
    return {"record_id": (sources or {}).get("settlement_id", "settlement_id")}


def _hospitals(connection: duckdb.DuckDBPyConnection, path: str | None, policy: Policy) -> set[str]:
    """Load the table of hospitals; returns the columns it gives. Errors as in ``read_hospitals``."""
    if path is None:
        return set()
    levels = policy_words(policy)["hospital_level"]
    rows, given = read_hospitals(path, ("hospital_code", *HOSPITAL_COLUMNS), levels)
    return _load(connection, "hospitals", "hospital_code", rows, given)


def _decisions(
    connection: duckdb.DuckDBPyConnection, scan: str, sources: Mapping[str, str], path: str | None,
    policy: Policy,
) -> tuple[list[Decision], set[str]]:  # fmt: skip
    """Load the decisions; returns them and the columns they give. Raises DataError as ``decisions`` and
    ``named_cases``, and for one that the policy cannot carry out."""
    if path is None:
        return [], set()
    found, given = decisions(path)
    for each in found:
        each.check(policy)
    found = named_cases(connection, scan, sources, found)
    rows = [{"record_id": each.record_id, **each.values} for each in found]
    return found, _load(connection, "decisions", "record_id", rows, ["record_id", *given])


def _load(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    key: str,
    rows: Sequence[Mapping[str, str | None]],
    columns: Sequence[str],
) -> set[str]:
    """A table of texts, and its values by ``key``; returns the other columns."""
    made = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in columns})
    connection.register("_coming", made)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM _coming")
    connection.unregister("_coming")
    given = [name for name in columns if name != key]
    keyed.create(connection, table, table, f'"{key}"', given)
    return set(given)


def _own(name: str, schema: pa.Schema, sources: dict[str, str]) -> str:
    column = sources.get(name)
    if column is None or column not in schema.names:
        raise UsageError(
            zh=f"输入缺少列 {name}；请用 --columns 指明其来源列",
            en=f"the input lacks the column {name}; name its source with --columns",
        )
    return f't."{column}"'


@dataclass
class _Reading:
    """SQL of the input columns. ``faults``: amounts to be checked; ``plain``: cells that are read as they
    stand; ``assumed``: as in Cases."""

    schema: pa.Schema
    sources: dict[str, str]
    hospitals: set[str]
    decisions: set[str]
    words: Words
    stay: str = "given"
    lists: Mapping[str, str] = field(default_factory=dict)
    faults: list[tuple[str, str, pa.DataType]] = field(default_factory=list)
    plain: list[tuple[str, str, pa.DataType]] = field(default_factory=list)
    assumed: dict[str, str] = field(default_factory=dict)

    def column(self, name: str) -> str | None:
        """A decision, else the hospital's property, else the record's column, else the default; or None."""
        ways = []
        if name in self.decisions:
            ways.append(self._keyed(name, "decisions", "record_id"))
        if name in self.hospitals:
            ways.append(self._keyed(name, "hospitals", "hospital_code"))
        ways += self._stay() if name == "los_days" and self.stay != "given" else []
        ways += self._own(name)
        default = INPUTS[name].default
        if default is not None:
            if not ways:
                self.assumed[name] = default.split("::")[0]
            ways.append(default)
        if not ways:
            return None
        return ways[0] if len(ways) == 1 else f"coalesce({', '.join(ways)})"

    def _keyed(self, name: str, table: str, key: str) -> str:
        own = _own(key, self.schema, self.sources)
        return input_sql(name, pa.string(), keyed.found(table, own, name))

    def _stay(self) -> list[str]:
        """The stay from the dates, as grouping derived it."""
        first, last = self._own("admission_date"), self._own("discharge_date")
        if not first or not last:
            return []
        days = f"date_diff('day', {first[0]}, {last[0]})"
        made = f"greatest({days}, 1)" if self.stay == "nights" else f"{days} + 1"
        return [f"CAST(CASE WHEN {days} >= 0 THEN {made} END AS INTEGER)"]

    def _own(self, name: str) -> list[str]:
        for candidate in sources(name):
            plain, _, place = candidate.partition("[")
            column = self.sources.get(plain)
            if plain in self.lists:
                return [f"({self.lists[plain]})[1]" if place else self.lists[plain]]
            if column is None or column not in self.schema.names:
                continue
            if place:
                listed = input_sql(plain, self.schema.field(column).type, f't."{column}"')
                return [f"{listed}[1]"]
            kind = self.schema.field(column).type
            if name in WORD_FIELDS:
                return [input_sql(name, *self.words.read(name, column, kind))]
            if name in DECISION_WORDS:
                return [input_sql(name, *self.words.decision(name, column, kind))]
            if INPUTS[name].kind == "money" and not _exact(kind):
                self.faults.append((name, column, kind))
            self.plain.append((name, column, kind))
            return [input_sql(name, kind, f't."{column}"')]
        return []


def _exact(kind: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(kind) and kind.scale <= 2)


def _date(files: Files, schema: pa.Schema, sources: dict[str, str]) -> str:
    if files.as_of is not None:
        return f"DATE '{files.as_of.isoformat()}'"
    own = _own(files.date, schema, sources)
    return day(own) if is_text(schema.field(sources[files.date]).type) else f"CAST({own} AS DATE)"


def _dated(files: Files, schema: pa.Schema, sources: dict[str, str]) -> list[tuple[str, str, pa.DataType]]:
    """The column of days that chooses the parameters, as ``check_cells`` takes it."""
    column = sources.get(files.date, "")
    return [] if files.as_of is not None else [(files.date, column, schema.field(column).type)]


def _check_amounts(
    connection: duckdb.DuckDBPyConnection,
    scan: str,
    faults: Sequence[tuple[str, str, pa.DataType]],
    files: Files,
) -> None:
    """Amounts that are texts or floats must be whole fen."""
    for name, column, kind in faults:
        checked = cost_columns(f'"{column}"', kind, "fen", False)
        bad = connection.execute(
            f'SELECT {PLACE}, fen_fault, value FROM (SELECT {checked}, "{column}" AS value, {PLACE} '
            f"FROM {scan}) WHERE fen_fault IS NOT NULL ORDER BY 1 LIMIT 1"
        ).fetchone()
        if bad:
            path, row = row_in(connection, files.paths, bad[0])
            raise refuse(bad[1], path, row, name, bad[2], flags=False)


def _survey(connection: duckdb.DuckDBPyConnection, files: Files, decided: Sequence[Decision]) -> Cases:
    """Count the cases, and refuse what would make the counting wrong."""
    rows, dated, first, last, total, named, priced = asked(
        connection,
        "SELECT count(*), count(pay_date), min(pay_date), max(pay_date), coalesce(sum(total_cost), 0), "
        "count(record_id), count(total_cost) FROM plain_cases",
    )
    if not rows:
        raise DataError(zh="输入没有病例", en="the input has no cases")
    for name, count in ((files.date, dated), ("record_id", named), ("total_cost", priced)):
        if count != rows:
            hint = "；可用 --as-of 指定统一日期" if name == files.date else ""
            hint_en = "; --as-of names one day for all" if name == files.date else ""
            column = "pay_date" if name == files.date else name
            place, record = connection.execute(
                f"SELECT {PLACE}, record_id FROM plain_cases WHERE {column} IS NULL ORDER BY 1 LIMIT 1"
            ).fetchall()[0]
            path, row = row_in(connection, files.paths, place)
            raise DataError(
                zh=f"{rows - count} 行缺 {name}，首见 {path} 第 {row} 行（{record or '—'}）{hint}",
                en=f"{rows - count} rows have no {name}, first in {path}, row {row} ({record or '–'})"
                f"{hint_en}",
            )
    twice = connection.execute(
        "SELECT record_id, count(*) FROM plain_cases GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
    ).fetchone()
    if twice:
        raise DataError(
            zh=f"record_id {twice[0]} 出现 {twice[1]} 次；请先去重，或用 --columns 换唯一的标识列",
            en=f"record_id {twice[0]} occurs {twice[1]} times; remove repeats, or name a unique column with "
            "--columns",
        )
    if decided:
        known = "plain_cases" if files.gate is None else "gate_cases"  # also of days of another policy
        stray = connection.execute(
            f"SELECT record_id FROM decisions ANTI JOIN {known} USING (record_id) ORDER BY 1 LIMIT 1"
        ).fetchone()
        if stray:
            at = next(each.row for each in decided if each.record_id == stray[0])
            column = "record_id" if at.text("record_id") else "settlement_id"
            raise at.error(column, f"{stray[0]} 不在病例中", f"{stray[0]} is not among the cases")
    return Cases(rows, first, last, int(total), [])


def _windows(
    connection: duckdb.DuckDBPyConnection, windows: Sequence[str], policy: Policy, found: Cases
) -> None:
    """``cases``: the plain cases with what depends on other cases of the run."""
    columns = ""
    if "hospital_cases" in windows:
        connection.execute(
            "CREATE TEMP TABLE counts AS "
            "SELECT hospital_code, count(*) AS hospital_cases FROM plain_cases GROUP BY 1"
        )
        keyed.create(connection, "counts", "counts", "hospital_code", ["hospital_cases"])
        columns += f", {keyed.found('counts', 'hospital_code', 'hospital_cases')} AS hospital_cases"
    if "area_cases" in windows:
        columns += f", {_area_cases(connection, policy, found)} AS area_cases"
    if "readmitted_after" in windows:
        _readmissions(connection, policy)
        keyed.create(connection, "returns", "returns", "record_id", ["readmitted_after"])
        columns += f", {keyed.found('returns', 'record_id', 'readmitted_after')} AS readmitted_after"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW cases AS SELECT *{columns} FROM plain_cases")


def _area_cases(connection: duckdb.DuckDBPyConnection, policy: Policy, found: Cases) -> str:
    """SQL: the discharges of the pooling area under DRG/DIP, of the days for which the parameters are the
    same (ranks are made within them): not those on routes of other methods, or that cannot be grouped."""
    usable = (
        f"hospital_code IS DISTINCT FROM {literal(CONTEXT)} "
        "AND coalesce(status NOT IN ('invalid', 'needs-data'), true) "
    )
    parts = []
    for first, last in policy.epochs(found.first, found.last):
        others = " ".join(
            f"WHEN {route.test.sql()} THEN {route.method in ('group', 'tcm')}"
            for route in policy.routes
            if route.holds(first)
        )
        counted = f"{usable} AND {f'CASE {others} ELSE true END' if others else 'true'}"
        days = f"pay_date BETWEEN DATE '{first}' AND DATE '{last}'"
        row = connection.execute(f"SELECT count(*) FROM plain_cases WHERE {counted} AND {days}").fetchone()
        parts.append(f"WHEN {days} THEN {row[0] if row else 0}")
    return f"CASE {' '.join(parts)} END::BIGINT"


def _readmissions(connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    """Stays that were followed by another of the same person and group, within the longest limit.

    A transfer by order (discharge_way 2) that another hospital takes in by the next day is no readmission,
    nor is a next stay that was decided to be justified.
    """
    same = {dated.value for dated in policy.parameters["readmission_same"].values}
    by = '"group"' if same == {"group"} else "left(diagnoses[1], 3)"
    limit = max(dated.value for dated in policy.parameters["readmission_days"].values)
    has = connection.sql("SELECT * FROM plain_cases LIMIT 0").columns
    way = "discharge_way" if "discharge_way" in has else "NULL"
    justified = "readmission_justified" if "readmission_justified" in has else "NULL"
    stays = "OVER (PARTITION BY person_id, by_what ORDER BY admission_date, discharge_date, record_id)"
    connection.execute(
        f"""CREATE TEMP TABLE returns AS
        SELECT record_id, greatest(next - discharge_date, 0) AS readmitted_after FROM (
          SELECT record_id, hospital_code, discharge_date, way, lead(admission_date) {stays} AS next,
            lead(hospital_code) {stays} AS next_hospital, lead(justified) {stays} AS next_justified
          FROM (SELECT *, {by} AS by_what, {way} AS way, {justified} AS justified FROM plain_cases)
          WHERE by_what IS NOT NULL AND person_id IN (
            SELECT person_id FROM plain_cases GROUP BY 1 HAVING count(*) > 1))
        WHERE next - discharge_date <= {int(limit)} AND next_justified IS DISTINCT FROM 'yes'
          AND NOT coalesce(
            way = 2 AND next_hospital <> hospital_code AND next - discharge_date <= 1, FALSE)"""
    )
