"""The stays among the rows of files: the gate of every command but ``settle``, which has a lake behind it.

    rows = rows_sql(connection, source, schema, given)      canonical columns, as far as the files have them
    gated = pass_gate(connection, rows)                     table gate_left (n, reason), gate_bills
    gated.left                                              reason -> rows and fen

Memory holds the rows that leave, and a key of each row while repeats are looked for; a file without refunds,
flags and repeats costs one look at a few columns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import DataError, ReconciliationError, UsageError
from grouper.base.money import cost_columns, yuan_of
from grouper.base.sql import literal, quote
from grouper.base.written import day
from grouper.records import gate
from grouper.records.words import FLAG_FIELDS, WordReader

if TYPE_CHECKING:
    import duckdb

    from grouper.records.columns import ColumnMap

IDS = ("record_id", "settlement_id", "visit_id", "person_id", "hospital_code", "refund_of")
DATES = ("admission_date", "discharge_date")
FIELDS = (*IDS, *FLAG_FIELDS, *DATES, "total_cost")
# Names of the settlement that a refund takes back, folded, in files of no known layout.
ORIGINALS = ("refund_of", "orig_setl_id", "refd_setl_id", "原结算id")
_NULLS = {
    **dict.fromkeys(IDS, "NULL::VARCHAR"),
    **dict.fromkeys(FLAG_FIELDS, "NULL::BOOLEAN"),
    **dict.fromkeys(DATES, "NULL::DATE"),
    "total_cost": "NULL::BIGINT",
}
# A table of rows as ``rows_sql`` gives them, filled by ``stage``.
_TYPES = {name: null.partition("::")[2] for name, null in _NULLS.items()}
_COLUMNS = ", ".join(
    f"{name} {kind}"
    for name, kind in {"n": "BIGINT", "file": "INTEGER", **_TYPES, "content": "UBIGINT"}.items()
)
STAGED = f"CREATE TABLE at_gate ({_COLUMNS})"


@dataclass(frozen=True)
class Gate:
    """What the gate asks. ``amounts``: a row without a cost, or of none, is no stay. ``dated``: a row needs
    its day of discharge. ``ordered``: admission may not be after it. ``interim``: "hold" or "join" the
    bills of one stay. ``net``: refunds of a part are taken off their original (in ``gate_bills``), which the
    caller adds up; else both wait."""

    amounts: bool = True
    dated: bool = False
    ordered: bool = True
    interim: str = "hold"
    net: bool = False


@dataclass
class Gated:
    """``left``: reason -> (rows, fen). ``joined``: whether bills were joined (table ``gate_bills``)."""

    rows: int
    fen: int
    left: dict[str, tuple[int, int]] = field(default_factory=dict)
    joined: bool = False

    @property
    def cases(self) -> int:
        return self.rows - sum(rows for rows, _ in self.left.values())

    def as_dict(self) -> dict[str, Any]:
        """For provenance: rows, cases, and what left by reason, in yuan."""
        return {
            "rows": self.rows,
            "cases": self.cases,
            "left": {
                reason: {"rows": rows, "total_cost": str(yuan_of(fen))}
                for reason, (rows, fen) in sorted(self.left.items())
            },
        }


def told(gated: Gated, lang: str) -> list[str]:
    """What left at the gate, line by line; nothing when every row is a stay."""
    if not gated.left:
        return []
    rows, zh = sum(n for n, _ in gated.left.values()), lang != "en"
    head = f"{rows:,} 行不作病例：" if zh else f"{rows:,} rows are no cases:"
    lines = []
    for reason, (number, fen) in sorted(gated.left.items(), key=lambda item: (-item[1][0], item[0])):
        words, unit = gate.REASONS[reason][not zh], "元" if zh else "yuan"
        lines.append(f"    {number:,}  {words} [{reason}]  {yuan_of(fen):,.2f} {unit}")
    return [head, *lines]


def given_columns(header: Collection[str], columns: ColumnMap | None = None) -> dict[str, str]:
    """Canonical field of the gate -> column of a file: by its own name, by the map, or by its layout."""
    from grouper.records.columns import detect_layout, fold

    found = {name: name for name in FIELDS if name in header}
    try:
        bound = columns.bind(list(header)) if columns is not None else detect_layout(list(header))
    except UsageError:
        bound = None
    for name in FIELDS if bound is not None else ():
        source = bound.fields.get(name) if bound is not None else None
        own = columns is not None or name not in found
        if source is not None and own and len(source.columns) == 1 and not source.transform:
            found[name] = source.columns[0]
    if "refund_of" not in found:
        named = [column for column in header if fold(column) in ORIGINALS]
        found |= {"refund_of": named[0]} if named else {}
    return {name: column for name, column in found.items() if column in header}


def rows_sql(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    schema: pa.Schema,
    given: Mapping[str, str],
    *,
    number: str,
    columns: ColumnMap | None = None,
    more: Mapping[str, str] | None = None,
    file: int = 0,
    at: Callable[[int], tuple[str, int]] | None = None,
) -> tuple[str, frozenset[str]]:
    """SQL of the rows of ``source`` as the gate reads them, and the fields that they have.

    ``number``: SQL of a number that names the row, in the order of the rows. ``more``: SQL of fields that
    the caller reads in its own way. ``file``: a number within which record ids are unique. ``at``: the file
    of a row, and its number there from 1 on.

    Raises DataError for a flag that is not understood, with file, row and column.
    """
    own = dict(more or {})
    for name, column in given.items():
        if name in own:
            continue
        kind, quoted = schema.field(column).type, f"t.{quote(column)}"
        if name in FLAG_FIELDS:
            values = columns.values.get(name) if columns is not None else None
            reader = WordReader(name, (), values)
            own[name] = _flag_sql(connection, source, quoted, kind, reader, _Cell(column, number, at))
        elif name in DATES:
            own[name] = _day_sql(quoted, kind)
        elif name == "total_cost":
            own[name] = cost_columns(quoted, kind, "c", True).partition(" AS c,")[0]
        else:
            own[name] = f"nullif(trim(CAST({quoted} AS VARCHAR)), '')"
    has = frozenset(own)
    if not has & {"record_id", "settlement_id"}:  # beside files with ids its rows are not without one
        own["record_id"] = f"'row ' || {number}"
    listed = ", ".join(f"{own.get(name, null)} AS {name}" for name, null in _NULLS.items())
    same: list[str] = []
    for name in gate.CONTENT:  # by whatever name the file has them
        mapped = columns.fields[name].columns if columns is not None and name in columns.fields else ()
        there = [column for column in mapped if column in schema.names]
        there = there or [column for column in (given.get(name, name),) if column in schema.names]
        same += [own[name]] if name in own else [f"t.{quote(column)}" for column in there]
    content = gate.content(same) if same else "0::UBIGINT"
    return (
        f"SELECT {number} AS n, {int(file)} AS file, {listed}, {content} AS content FROM {source} AS t",
        has,
    )


def stage(
    connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch, columns: ColumnMap, first: int, *,
    file: int = 0, cost: str | None = None,
) -> frozenset[str]:  # fmt: skip
    """Put a batch of records into ``at_gate``, its rows numbered from ``first`` on; the fields it has.

    ``cost``: the column of costs, where it is another than the map's.
    """
    fields = {name: columns.fields[name] for name in FIELDS if name in columns.fields}
    given = {
        name: found.columns[0]
        for name, found in fields.items()
        if len(found.columns) == 1 and not found.transform and found.columns[0] in batch.schema.names
    }
    numbers = pa.arange(first, first + batch.num_rows)
    coming = pa.Table.from_batches([batch]).append_column("row_place", numbers)
    connection.register("_coming", coming)
    given |= {"total_cost": cost} if cost else {}
    rows, has = rows_sql(
        connection, "_coming", batch.schema, given, number="t.row_place", columns=columns, file=file
    )
    connection.execute(f"INSERT INTO at_gate {rows}")
    connection.unregister("_coming")
    return has


@dataclass(frozen=True)
class _Cell:
    """A column, and how its rows are named: ``number`` and ``at`` as in ``rows_sql``."""

    column: str
    number: str
    at: Callable[[int], tuple[str, int]] | None

    def told(self, number: int) -> tuple[str, str]:
        path, row = self.at(number) if self.at is not None else ("", number + 1)
        zh, en = (f"{path} ", f"{path}, ") if path else ("", "")
        return f"{zh}第 {row} 行 {self.column} 列", f"{en}row {row}, column {self.column}"


def _day_sql(quoted: str, kind: pa.DataType) -> str:
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return f"CAST({quoted} AS DATE)"
    return day(quoted)


def _flag_sql(
    connection: duckdb.DuckDBPyConnection, source: str, quoted: str, kind: pa.DataType, reader: WordReader,
    cell: _Cell,
) -> str:  # fmt: skip
    if pa.types.is_boolean(kind):
        return quoted
    sql = f"CAST({quoted} AS VARCHAR)"
    words = [w for (w,) in connection.execute(f"SELECT DISTINCT {sql} FROM {source} AS t").fetchall()]
    branches = []
    for word in words:
        parsed = reader(word) if word is not None else None
        if parsed is not None and parsed.bad:
            known = reader.known()
            first = f"SELECT min({cell.number}) FROM {source} AS t WHERE {sql} = {literal(word)}"
            zh, en = cell.told(int(connection.execute(first).fetchall()[0][0]))
            raise DataError(
                zh=f"{zh}（{reader.field}）：{word!r} 无法识别；可用：{known}",
                en=f"{en} ({reader.field}): {word!r} is not understood; known are {known}",
            )
        if parsed is not None and parsed.value is not None:
            branches.append(f"WHEN {literal(word)} THEN {parsed.value}")
    return f"CASE {sql} {' '.join(branches)} END" if branches else "NULL::BOOLEAN"


def pass_gate(
    connection: duckdb.DuckDBPyConnection, rows: str, has: Collection[str], asked: Gate | None = None
) -> Gated:
    """Make ``gate_left`` (n, reason) of ``rows`` (of ``rows_sql``): a row for each row that is no stay.

    With bills to join or parts to net also ``gate_bills`` (n, of, admitted, discharged, refund). Raises
    ReconciliationError when cases and rows that left do not add up to the rows.
    """
    return _Passing(connection, rows, frozenset(has), asked or Gate()).run()


class _Passing:
    """One file set at the gate. The order of the steps decides which reason a row with several faults
    gets."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, rows: str, has: frozenset[str], asked: Gate
    ) -> None:
        self.connection, self.has, self.asked = connection, has, asked
        named = has & {"record_id", "settlement_id"}
        rid, sid = "coalesce(record_id, settlement_id)", "coalesce(settlement_id, record_id)"
        number = "" if named else "CAST(n AS VARCHAR)"
        self.rows = (
            f"(SELECT n, file, 'input' AS role, {number or rid} AS rid, {number or sid} AS sid, visit_id, "
            "person_id, hospital_code, refund_of, refund_flag, valid_flag, interim_flag, admission_date, "
            f"discharge_date, total_cost, content FROM ({rows}))"
        )
        self.keys = ["sid"] if "settlement_id" in has else []
        self.keys += ["file || '|' || rid"] if "record_id" in has else []
        self.open = f"(SELECT r.* FROM {self.rows} AS r ANTI JOIN gate_left AS f ON f.n = r.n)"
        self.joined = self.parted = False

    def run(self) -> Gated:
        self.connection.execute("CREATE OR REPLACE TEMP TABLE gate_left (n BIGINT, reason VARCHAR)")
        asked = self.asked
        unusable = gate.unusable(amounts=asked.amounts, dated=asked.dated)
        found = self.connection.execute(
            f"SELECT count(*), coalesce(sum(total_cost), 0), count({unusable}), "
            f"count(*) FILTER ({gate.REFUND} OR refund_flag), count(*) FILTER (total_cost = 0), "
            f"count(*) FILTER (interim_flag), count(*) FILTER ({gate.LATER}) FROM {self.rows}"
        ).fetchall()
        rows, fen, unusable_rows, refunds, free, interim, later = found[0]
        if unusable_rows:
            self._leave(unusable, self.rows, f"{unusable} IS NOT NULL")
        if refunds:
            for key in self.keys:
                for sign, reason in gate.SIGNS:
                    self._repeated(key, sign, reason)
            self._refunds()
        if refunds or (free and asked.amounts):
            for reason, test in gate.AMOUNTS if asked.amounts else gate.AMOUNTS[:1]:
                self._leave(literal(reason), self.open, test)
        for key in self.keys:
            self._repeated(key)
        joins = self._bills(bool(interim))
        if later and asked.ordered:
            self._leave("'dates-out-of-order'", self.open, gate.LATER)
        if self.parted:
            self._net(joins)
        return self._counted(rows, int(fen))

    def _leave(self, reason: str, source: str, test: str) -> None:
        self.connection.execute(f"INSERT INTO gate_left SELECT n, {reason} FROM {source} WHERE {test}")

    def _table(self, name: str, sql: str) -> int:
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")
        return int(self.connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])

    def _refunds(self) -> None:
        self._table("gate_refunds", f"SELECT * FROM {self.open} WHERE {gate.REFUND}")
        still = " AND NOT EXISTS (SELECT 1 FROM gate_left AS f WHERE f.n = r.n)"
        ways = [("refund_of", "sid", ""), *((key, key, " AND refund_of IS NULL") for key in
                                            (gate.VISIT, gate.PERSON))]  # fmt: skip
        for key, original, named in ways:
            refunds = gate.refunds(key, "gate_refunds") + still + named
            paired = gate.pairs(refunds, gate.originals(original, self.open))
            if self._table("gate_pairs", paired):
                self._leave("'refund-netted'", "(SELECT unnest([refund, original]) AS n FROM gate_pairs)",
                            "TRUE")  # fmt: skip
        differ = "(SELECT n FROM gate_left WHERE reason = 'duplicate-conflict')"
        if self._table("gate_differ", f"SELECT * FROM {self.rows} WHERE n IN {differ}"):
            self._leave(f"'{gate.CONFLICT}'", self.open, gate.of_conflict("gate_differ"))
        self._parts(still)
        met = "(SELECT n FROM gate_left WHERE reason = 'refund-netted')"
        whole = f"(SELECT sid FROM {self.rows} WHERE n IN {met} AND {gate.PLAIN})"
        self._leave(f"'{gate.AGAIN}'", self.open, f"total_cost < 0 AND refund_of IN {whole}")
        self._leave(gate.UNMATCHED, self.open, gate.REFUND)

    def _parts(self, still: str) -> None:
        """Refunds of a part: taken off the row that they name, or held together with what they may mean."""
        coming = f"(SELECT * FROM gate_refunds AS r WHERE TRUE{still})"
        self._table("gate_parts", gate.parts(coming, self.open))
        both = "(SELECT DISTINCT unnest([n, of]) AS n FROM {})"
        self._leave("'refund-netted'", both.format("gate_parts WHERE net = 0"), "TRUE")
        waits = "net < 0" if self.asked.net else "net <> 0"
        self._leave(f"'{gate.PARTIAL}'", both.format(f"gate_parts WHERE {waits}"), "TRUE")
        self.connection.execute(f"DELETE FROM gate_parts WHERE net = 0 OR {waits}")
        self._leave(f"'{gate.PART}'", "gate_parts", "TRUE")
        self.parted = bool(self.connection.execute("SELECT count(*) FROM gate_parts").fetchall()[0][0])
        for key in (gate.VISIT, gate.PERSON):
            if self._table("gate_maybe", gate.unnamed(key, coming, self.open)):
                self._leave(f"'{gate.PARTIAL}'", both.format("gate_maybe"), "TRUE")

    def _net(self, joins: bool) -> None:
        """Put refunds of parts beside their original into ``gate_bills``; where that is no stay after all,
        they wait. ``joins``: ``gate_bills`` has bills that are joined."""
        gone = f"of IN (SELECT n FROM gate_left WHERE reason <> '{gate.JOINED}')"
        self.connection.execute(
            f"UPDATE gate_left SET reason = '{gate.PARTIAL}' WHERE n IN "
            f"(SELECT n FROM gate_parts WHERE {gone})"
        )
        self.connection.execute(f"DELETE FROM gate_parts WHERE {gone}")
        if not joins:
            none = "SELECT '' AS key WHERE FALSE"
            self._table("gate_bills", f"SELECT * FROM ({gate.bills(self.rows, f'({none})')}) WHERE FALSE")
        self._table(
            "gate_nets",
            "SELECT p.n, coalesce(b.of, p.of) AS of, r.admission_date AS admitted, "
            f"r.discharge_date AS discharged FROM gate_parts AS p JOIN {self.rows} AS r ON r.n = p.of "
            "LEFT JOIN gate_bills AS b ON b.n = p.of",
        )
        self.joined = bool(self.connection.execute(
            "INSERT INTO gate_bills BY NAME SELECT *, TRUE AS refund FROM gate_nets UNION ALL "
            "SELECT DISTINCT of AS n, of, admitted, discharged, FALSE AS refund FROM gate_nets "
            "WHERE of NOT IN (SELECT n FROM gate_bills)"
        ).fetchall()[0][0]) or self.joined  # fmt: skip

    def _repeated(self, key: str, among: str = "TRUE", reason: str = gate.REPEATED) -> None:
        """Ids are compared by their hash first: it is small, and mostly none is there twice."""
        hashed, open_ = f"hash({key})", f"(SELECT * FROM {self.open} WHERE {among})"
        if self._table("gate_twice", gate.several(hashed, open_)):
            some = f"(SELECT * FROM {open_} WHERE {hashed} IN (SELECT key FROM gate_twice))"
            self._table("gate_maybe", f"SELECT * FROM {some}")
            self._table("gate_same", gate.several(key, "gate_maybe"))
            self._leave(reason, f"({gate.repeated(key, 'gate_maybe', 'gate_same')})",
                        f"{reason} IS NOT NULL")  # fmt: skip

    def _bills(self, marked: bool) -> bool:
        """Whether ``gate_bills`` has bills that are joined."""
        hashed, many = "hash(visit_id, hospital_code)", 0
        rows = f"(SELECT * FROM {self.open} WHERE {gate.VISIT} IS NOT NULL)"
        if {"visit_id", "hospital_code"} <= self.has:
            many = self._table("gate_twice", gate.several(hashed, rows))
        if not many and not marked:
            return False
        some = f"(SELECT * FROM {rows} WHERE {hashed} IN (SELECT key FROM gate_twice))"
        none = "SELECT '' AS key WHERE FALSE"
        self._table("gate_visits", gate.several(gate.VISIT, some) if many else none)
        if not self._table("gate_bills", gate.bills(self.open, "gate_visits")):
            return False
        joins = self.asked.interim == "join"
        reason = f"CASE WHEN of IS NULL THEN 'interim' WHEN n <> of THEN '{gate.JOINED}' END"
        self._leave(
            reason if joins else "'interim'", "gate_bills", f"{reason} IS NOT NULL" if joins else "TRUE"
        )
        self.joined = joins
        if joins:
            self.connection.execute("DELETE FROM gate_bills WHERE of IS NULL")
        return joins

    def _counted(self, rows: int, fen: int) -> Gated:
        gated = Gated(rows, fen, joined=self.joined)
        found = self.connection.execute(
            f"SELECT f.reason, count(*), coalesce(sum(r.total_cost), 0) FROM {self.rows} AS r "
            "JOIN gate_left AS f ON f.n = r.n GROUP BY 1 ORDER BY 1"
        ).fetchall() if self._any_left() else []  # fmt: skip
        gated.left = {reason: (number, int(cost)) for reason, number, cost in found}
        if not gated.left:
            return gated
        kept = self.connection.execute(f"SELECT count(*), coalesce(sum(total_cost), 0) FROM {self.open}")
        cases, cost = kept.fetchall()[0]
        left = sum(of_reason for _, of_reason in gated.left.values())
        if cases != gated.cases or int(cost) + left != fen:
            raise ReconciliationError(
                zh=f"对不上：读入 {rows} 行 {fen} 分，病例 {cases} 例 {cost} 分，"
                f"其余 {rows - gated.cases} 行 {left} 分；没有写出结果",
                en=f"does not add up: {rows} rows and {fen} fen read, {cases} cases and {cost} fen, "
                f"{rows - gated.cases} other rows and {left} fen; nothing was written",
            )
        return gated

    def _any_left(self) -> bool:
        return bool(self.connection.execute("SELECT count(*) FROM gate_left").fetchall()[0][0])
