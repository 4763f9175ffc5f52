"""The tables and views that a month makes in its database, each declared once: columns with their units, who
makes it, who reads it.

    make(connection, FATE)                    an empty table of the declared columns
    make(connection, JUDGED, "SELECT ...")    a table or view of a query; its columns must be the declared

Money is yuan in all of them (``DECIMAL``); whole fen are in Python and in the ledger, under names that end in
``fen``. ``python -m grouper.settlement.relations_page docs/settlement.md`` writes the page about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from grouper.base.errors import GrouperError
from grouper.payment.price.inputs import DECIDED, INPUTS
from grouper.settlement import intake, tables

if TYPE_CHECKING:
    import duckdb


class RelationError(GrouperError):
    """A relation of a run is not what it is declared to be: a fault of the program, not of the data."""

    exit_code = 70


class Kind(NamedTuple):
    """What a value is: ``unit`` for people, ``sql`` as DuckDB calls its type."""

    unit: str
    sql: str


TEXT, TEXTS = Kind("text", "VARCHAR"), Kind("texts", "VARCHAR[]")
DATE, FLAG = Kind("date", "DATE"), Kind("flag", "BOOLEAN")
YUAN = Kind("yuan", "DECIMAL(18,2)")
POINTS, SCORE = Kind("points", "DECIMAL(38,6)"), Kind("score", "DECIMAL(18,6)")
NUMBER, RANK, SMALL = Kind("number", "BIGINT"), Kind("count", "BIGINT"), Kind("whole number", "INTEGER")
HASH, HOURS = Kind("hash", "UBIGINT"), Kind("hours", "DOUBLE")


class Column(NamedTuple):
    """``needed``: False for a column that is there only where an input, the policy or a decision has it."""

    name: str
    kind: Kind
    needed: bool = True


Columns = Callable[[], tuple[Column, ...]]


@dataclass(frozen=True)
class Relation:
    """``form``: TABLE, VIEW, TEMP TABLE, TEMP VIEW. ``what``: in a few words. ``makers``, ``readers``:
    functions of ``grouper.settlement``; ``sources``: relations and views of the lake that it is made and
    filled from. ``more``: it has what the records of the lake have as well, whatever that is."""

    name: str
    form: str
    what: str
    declared: Columns
    makers: tuple[str, ...]
    readers: tuple[str, ...]
    sources: tuple[str, ...] = ()
    more: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.declared()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def make(connection: duckdb.DuckDBPyConnection, relation: Relation, query: str = "") -> None:
    """Make a relation, in the place of an earlier one; without a query a table without rows.

    Raises RelationError where its columns are not those declared.
    """
    if query:
        connection.execute(f"CREATE OR REPLACE {relation.form} {relation.name} AS {query}")
    else:
        own = ", ".join(f"{column.name} {column.kind.sql}" for column in relation.columns)
        connection.execute(f"CREATE OR REPLACE {relation.form} {relation.name} ({own})")
    made = connection.sql(f"SELECT * FROM {relation.name} LIMIT 0")
    check(relation, dict(zip(made.columns, map(str, made.types), strict=True)))


def numbered(relation: Relation, number: int) -> Relation:
    """The relation of a family (``rows_N``) with its number."""
    return replace(relation, name=relation.name.replace("N", str(number)))


def check(relation: Relation, columns: dict[str, str]) -> None:
    """Compare columns (name to DuckDB type) with those declared. Raises RelationError that names each that is
    missing, unknown or of another type."""
    known = {column.name: column.kind.sql for column in relation.columns}
    needed = [column.name for column in relation.columns if column.needed]
    missing = [name for name in needed if name not in columns]
    unknown = [] if relation.more else [name for name in columns if name not in known]
    others = [
        (name, kind, known[name]) for name, kind in columns.items() if name in known and kind != known[name]
    ]
    if not (missing or unknown or others):
        return
    zh = [*(f"缺少 {name}" for name in missing), *(f"多出 {name}" for name in unknown),
          *(f"{name} 的类型是 {kind}，应为 {due}" for name, kind, due in others)]  # fmt: skip
    en = [*(f"{name} is missing" for name in missing), *(f"{name} is not declared" for name in unknown),
          *(f"{name} is {kind}, declared as {due}" for name, kind, due in others)]  # fmt: skip
    raise RelationError(
        zh=f"程序内部错误：关系 {relation.name} 与 grouper.settlement.relations 的声明不符："
        f"{'；'.join(zh)}；没有写入湖，请报告此错误",
        en=f"internal error: the relation {relation.name} is not as grouper.settlement.relations declares "
        f"it: {'; '.join(en)}; nothing was written to the lake, please report this",
    )


# The columns of several relations.


def _of(kind: Kind, *names: str, needed: bool = True) -> tuple[Column, ...]:
    return tuple(Column(name, kind, needed) for name in names)


def _fixed(*columns: Iterable[Column]) -> Columns:
    flat = tuple(column for part in columns for column in part)
    return lambda: flat


def _kind(type_: pa.DataType) -> Kind:
    """The kind of a column of an Arrow schema of this room: two decimals are yuan."""
    if pa.types.is_decimal(type_):
        if type_.scale == 2:
            return YUAN
        return SCORE if type_.precision == 18 else POINTS
    if pa.types.is_list(type_):
        return TEXTS
    if pa.types.is_date(type_):
        return DATE
    if pa.types.is_boolean(type_):
        return FLAG
    if pa.types.is_floating(type_):
        return HOURS
    if pa.types.is_integer(type_):
        return SMALL if type_.bit_width == 32 else NUMBER
    return TEXT


def _of_schema(schema: pa.Schema, *without: str, needed: bool = True) -> tuple[Column, ...]:
    return tuple(Column(f.name, _kind(f.type), needed) for f in schema if f.name not in without)


def _door() -> pa.Schema:
    """What comes in at the door."""
    return intake.row_schema()


def _rows() -> tuple[Column, ...]:
    return _of_schema(_door())


def _decision(name: str, needed: bool = True) -> Column:
    spec = INPUTS[name]
    if spec.kind == "money":
        return Column(name, YUAN, needed)
    if spec.kind == "decimal":
        return Column(name, Kind("factor", f"DECIMAL(18,{spec.digits})"), needed)
    return Column(name, TEXT, needed)


_WHERE = (*_of(TEXT, "file"), *_of(NUMBER, "row"), *_of(TEXT, "reason", "clause"))
_DECIDED = (
    *_of(TEXT, "id", "kind"),
    *_WHERE,
    *(_decision(name) for name in DECIDED),
)
_HOSPITAL = (
    "hospital_code", "hospital_name", "hospital_level", "hospital_kind", "county", "hospital_coefficient",
    "alliance",
)  # fmt: skip
_JUDGED = (
    *_of(NUMBER, "n"),
    *_of(TEXT, "role", "rid", "sid", "visit_id", "person_id", "hospital_code", "refund_of"),
    *_of(FLAG, "refund_flag", "valid_flag", "interim_flag"),
    *_of(YUAN, "total_cost"),
    *_of(DATE, "admission_date", "discharge_date"),
    *_of(TEXT, "fault"),
    *_of(HASH, "content"),
)
_DOOR = ("n", "role", "refund_of", "refund_flag", "valid_flag", "fault", "input_file", "input_row",
         "record_id", "settlement_id")  # fmt: skip


def _records() -> tuple[Column, ...]:
    """What pricing reads: rows without what only the door needs, with hospital and decisions."""
    first = (*_of(TEXT, "row_kind", "input_file"), *_of(NUMBER, "input_row"),
             *_of(TEXT, "record_id", "settlement_id"))  # fmt: skip
    given = _of_schema(_door(), *_DOOR, needed=False)
    of_hospital = _of(TEXT, *(n for n in _HOSPITAL[2:] if n not in _door().names), needed=False)
    return (
        *first,
        *given,
        *of_hospital,
        *_of(TEXT, "offsite", needed=False),
        *(_decision(name, needed=False) for name in DECIDED),
    )


def _adjustments() -> tuple[Column, ...]:
    return _of_schema(tables.ADJUSTMENTS, "adjustment_id")


def _world() -> tuple[Column, ...]:
    return (*_records(), *_of(TEXT, "area", "run"), *_of(SMALL, "year", "month"))


# The relations, in the order in which a month makes them.

ROWS = Relation(
    "rows", "VIEW", "every row of every input file, canonical and grouped", _rows,
    ("month._prepare",),
    ("adjust._touched", "month._write_rejected", "month.count", "plan.past.make_known",
     "plan.past._taken_back", "records.records_sql", "validate._unreadable", "validate._sum"),
)  # fmt: skip
HOSPITALS = Relation(
    "hospitals", "TABLE", "the hospitals that may be paid (`--hospitals`)", _fixed(_of(TEXT, *_HOSPITAL)),
    ("hospitals.load_hospitals",),
    ("month._prepare", "records.records_sql", "statements._with_hospitals", "validate._unreadable",
     "validate._hospitals"),
)  # fmt: skip
DECIDED_CASES = Relation(
    "decided", "TABLE", "decisions about cases, by the id that their file gives", _fixed(_DECIDED),
    ("records.decide",), ("plan.past.make_known", "records.resolve"),
)  # fmt: skip
WITHDRAWALS = Relation(
    "withdrawals", "TABLE", "settlements that are taken back (`--corrections`)",
    _fixed(_of(TEXT, "id"), _WHERE),
    ("month._prepare",),
    ("adjust._touched", "month._finish_decisions", "plan.past.make_known", "validate._withdrawn",
     "validate._billed_before"),
)  # fmt: skip
CLOSED_MONTHS = Relation(
    "closed_months", "TABLE", "the months that the lake has settled before", _fixed(_of(TEXT, "period")),
    ("month._prepare",), ("validate._dates",),
)  # fmt: skip
NAMED = Relation(
    "named", "TEMP TABLE", "ids that the input, a withdrawal or a decision names", _fixed(_of(TEXT, "id")),
    ("plan.past.make_known",), ("plan.past.make_known",),
    sources=("rows", "withdrawals", "decided"),
)  # fmt: skip
REFUNDERS = Relation(
    "refunders", "TEMP TABLE", "visits and persons of refunds", _fixed(_of(TEXT, "visit_id", "person_id")),
    ("plan.past.make_known",), ("plan.past.make_known",),
    sources=("rows",),
)  # fmt: skip
KNOWN = Relation(
    "known", "TABLE", "records of closed months that the input may mean",
    _fixed(_of(TEXT, "record_id", "settlement_id", "visit_id", "person_id", "hospital_code"),
           _of(YUAN, "total_cost"), _of(DATE, "discharge_date"), _of(TEXT, "period")),
    ("plan.past.make_known",),
    ("adjust._readmitted", "adjust._touched", "month._finish_decisions", "records.resolve",
     "validate._in_lake", "validate._refunds", "validate._billed_before", "validate._settled",
     "limits.check_deducted"),
    sources=("records_effective", "named", "refunders"),
)  # fmt: skip
TAKEN_BACK = Relation(
    "taken_back", "TABLE", "settlements that earlier months took back, and the refunds that did so (own)",
    _fixed(_of(TEXT, "id"), _of(FLAG, "own")),
    ("plan.past.make_known",), ("validate._refunds",),
    sources=("rejected_current", "adjustments_current", "rows"),
)  # fmt: skip
FATE = Relation(
    "fate", "TABLE", "what becomes of each row that is no plain case",
    _fixed(_of(NUMBER, "n"), _of(TEXT, "fate", "reason", "partner")),
    ("validate.judge",),
    ("adjust._touched", "month._finish_decisions", "month._check_rejected", "month._write_rejected",
     "month.count", "month._totals", "plan.past.late_sql", "records.records_sql", "validate._left",
     "validate._refunds", "validate._parts", "validate._net", "validate._billed_before", "validate._in_lake"),
    sources=("left_rows", "judged", "hospitals", "withdrawals", "closed_months", "known", "taken_back",
             "refunds", "pairs", "part_refunds", "waiting_bills", "repeated", "bills"),
)  # fmt: skip
JUDGED = Relation(
    "judged", "TABLE", "what judging reads of each row", _fixed(_JUDGED),
    ("validate._unreadable",),
    ("month._finish_decisions", "month._check_rejected", "month._totals", "plan.past.late_sql",
     "records.resolve", "validate._left", "validate._refunds", "validate._wait", "validate._net",
     "validate._bills", "validate._billed_before"),
    sources=("rows", "hospitals"),
)  # fmt: skip
LEFT_ROWS = Relation(
    "left_rows", "TEMP VIEW", "rows whose fate is open; at last with those that are late", _fixed(_JUDGED),
    ("validate._left", "month._finish_decisions"),
    ("records.resolve", "validate._reject", "validate._refunds", "validate._parts", "validate._same",
     "validate._duplicates",
     "validate._bills", "validate._billed_before", "validate._settled"),
    sources=("judged", "fate"),
)  # fmt: skip
REFUNDS = Relation(
    "refunds", "TABLE", "rows that take a settlement back", _fixed(_JUDGED),
    ("validate._refunds",), ("validate._refunds", "validate._parts"),
    sources=("left_rows",),
)  # fmt: skip
PAIRS = Relation(
    "pairs", "TEMP TABLE", "refunds with their originals, in the input or in the lake",
    _fixed(_of(NUMBER, "refund", "original"), _of(TEXT, "partner")),
    ("validate._pair",), ("validate._pair",),
    sources=("refunds", "left_rows", "known", "fate"),
)  # fmt: skip
TWICE = Relation(
    "twice", "TEMP TABLE", "ids that more than one row has", _fixed(_of(TEXT, "key")),
    ("validate._repeated",), ("validate._repeated",),
    sources=("left_rows",),
)  # fmt: skip
REPEATED = Relation(
    "repeated", "TEMP TABLE", "rows of such an id, with what tells which of them stays",
    _fixed(_of(NUMBER, "n"), _of(TEXT, "role", "key"), _of(RANK, "corrections"), _of(FLAG, "equal"),
           _of(RANK, "k")),
    ("validate._repeated",), ("validate._repeated",),
    sources=("left_rows", "twice"),
)  # fmt: skip
VISITS = Relation(
    "visits", "TEMP TABLE", "visits in one hospital with more than one row", _fixed(_of(TEXT, "key")),
    ("validate._bills",), ("validate._bills",),
    sources=("left_rows",),
)  # fmt: skip
BILLS = Relation(
    "bills", "TEMP TABLE", "rows of stays with several bills, with the last of them",
    _fixed(_of(NUMBER, "n", "of"), _of(DATE, "admitted", "discharged"), _of(FLAG, "refund")),
    ("validate._bills",), ("validate._bills", "validate._sum"),
    sources=("left_rows", "visits", "judged", "part_refunds"),
)  # fmt: skip
# The amounts of several bills that are those of the stay when they are added up.
SUMMED = tuple(name for name in intake.AMOUNTS if name != "pool_paid_before")
WAITING_BILLS = Relation(
    "waiting_bills", "TABLE", "interim bills that wait in a closed month, of visits of this input",
    _fixed(_of(TEXT, "visit_id", "hospital_code", "settlement_id")),
    ("plan.past.make_known",), ("validate._billed_before",), sources=("rejected_current", "rows"),
)  # fmt: skip
PART_REFUNDS = Relation(
    "part_refunds", "TABLE", "refunds of a part of a row of this input, and what they leave of its cost",
    _fixed(_of(NUMBER, "n", "of"), _of(YUAN, "net")),
    ("validate._parts",), ("validate._parts", "validate._bills", "validate._net"),
    sources=("refunds", "left_rows", "fate"),
)  # fmt: skip
JOINED_BILLS = Relation(
    "joined_bills", "TABLE", "what all bills of a stay come to, by the last of them (`--interim join`), and "
    "what refunds of a part leave of a row",
    _fixed(_of(NUMBER, "n"), _of(DATE, "admission_date"), (Column("los_days", SMALL),), _of(YUAN, *SUMMED)),
    ("validate.judge", "validate._sum"), ("records.records_sql",),
    sources=("bills", "rows"),
)  # fmt: skip
DECISIONS = Relation(
    "decisions", "TABLE", "decisions by record, of the month (period empty) or of a closed one",
    _fixed(_DECIDED, _of(TEXT, "record_id", "period")),
    ("records.resolve",),
    ("adjust._touched", "adjust._again", "adjust._decided_sql", "records.resolve", "records.records_sql",
     "limits.check_deducted"),
    sources=("decided", "left_rows", "known"),
)  # fmt: skip
RECORDS_NEW = Relation(
    "records_new", "VIEW", "the records of the month's cases", _records,
    ("month._write_records",),
    ("adjust._readmitted", "adjust._closed", "limits.check_deducted"),
    sources=("rows", "fate", "hospitals", "decisions"),
)  # fmt: skip
ROWS_AGAIN = Relation(
    "rows_N", "VIEW", "the rows again, grouped by the scheme of a closed month that had another", _rows,
    ("plan.past.late_sql",), ("records.records_sql",),
)  # fmt: skip
ADJUSTMENTS_NEW = Relation(
    "adjustments_new", "TABLE", "the month's adjustments, not yet numbered", _adjustments,
    ("adjust.adjust",),
    ("adjust._lines", "adjust.amounts", "month._write_adjustments", "month._totals"),
    sources=("touched", "removed", "cases_effective"),
)  # fmt: skip
LATE_RECORDS = Relation(
    "late_records", "TABLE", "late and corrected records, then with their hospital as their month had it",
    _records,
    ("adjust.adjust", "plan.past.as_then"),
    ("adjust._touched", "adjust._readmitted", "adjust._closed", "plan.past.as_then"),
    sources=("rows", "rows_N", "fate", "hospitals", "decisions", "records_effective"),
)  # fmt: skip
REMOVED = Relation(
    "removed", "TABLE", "records of closed months that leave: refunded, corrected, withdrawn",
    _fixed(_of(TEXT, "record_id", "kind"), _WHERE),
    ("adjust._touched",),
    ("adjust._touched", "adjust._readmitted", "adjust._closed", "adjust._changed_sql", "adjust._removals"),
    sources=("fate", "rows", "withdrawals", "known"),
)  # fmt: skip
TOUCHED = Relation(
    "touched", "TABLE", "records of closed months whose price may change, and why",
    _fixed(_of(TEXT, "record_id", "period", "kind"), _WHERE),
    ("adjust._touched",),
    ("adjust._readmitted", "adjust._periods", "adjust._scope", "adjust._difference"),
    sources=("late_records", "removed", "known", "decisions", "records_effective", "stays"),
)  # fmt: skip
STAYS = Relation(
    "stays", "TEMP VIEW", "stays that may be the return of a person, or no longer are",
    _fixed(_of(TEXT, "record_id", "person_id"), _of(DATE, "admission_date")),
    ("adjust._readmitted",), ("adjust._readmitted",),
    sources=("records_new", "late_records", "records_effective", "removed"),
)  # fmt: skip
WORLD = Relation(
    "world", "TEMP VIEW", "the records of closed months as they are now, and those of the open one",
    _world,
    ("adjust._closed",), ("adjust._closed", "adjust._scope", "adjust._columns"),
    more=True,
    sources=("records_effective", "removed", "decisions", "late_records", "records_new"),
)  # fmt: skip
SCOPED = Relation(
    "scoped", "TEMP TABLE", "records of closed months that are priced again",
    _fixed(_of(TEXT, "record_id")),
    ("adjust._scope",), ("adjust._scope",),
    sources=("world", "touched"),
)  # fmt: skip
WORDS = Relation(
    "words", "TABLE", "reasons of rejected rows in words",
    _fixed(_of(TEXT, "reason", "zh", "en", "treatment")),
    ("month._write_rejected",), ("month._write_rejected",),
    sources=("fate",),
)  # fmt: skip

RELATIONS: tuple[Relation, ...] = (
    ROWS, HOSPITALS, DECIDED_CASES, WITHDRAWALS, CLOSED_MONTHS, NAMED, REFUNDERS, KNOWN, TAKEN_BACK, FATE,
    JUDGED,
    LEFT_ROWS, REFUNDS, PAIRS,
    PART_REFUNDS, WAITING_BILLS, TWICE, REPEATED, VISITS, BILLS, JOINED_BILLS, DECISIONS, RECORDS_NEW,
    ADJUSTMENTS_NEW, ROWS_AGAIN,
    LATE_RECORDS, REMOVED, TOUCHED, STAYS, WORLD, SCOPED, WORDS,
)  # fmt: skip
# What a month reads of the lake, made by grouper.lake.views: (name, what, readers).
OF_THE_LAKE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("records_effective", "records of closed months as they stand",
     ("adjust._readmitted", "adjust._closed", "plan.past.make_known", "plan.past.as_then",
      "funds._sql")),
    ("cases_effective", "cases of closed months as they stand",
     ("adjust._changed_sql", "adjust._difference", "adjust._removals", "reviews.of_lake",
      "year._effective")),
    ("pools_current", "pools of closed months, with their point values",
     ("plan.partial._rows", "plan.past.old_budget", "statements._distributable")),
    ("rejected_current", "rows of closed months that were no cases",
     ("plan.past.make_known", "plan.past._taken_back")),
    ("adjustments_current", "adjustments of closed months",
     ("plan.past._taken_back", "year._scores", "year._paid_later", "year._adjusting")),
    ("amounts", "fen by hospital and pool, of the ledger", ("funds.amounts_of", "year._record")),
)  # fmt: skip
# Files of a run's folder by which rooms hand rows on: (name, what, makers, readers). Amounts are yuan.
FILES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("rows.parquet", "`rows`, from the door", ("month.compute",), ("month._prepare",)),
    ("accepted.parquet", "`records_new`: what pricing reads", ("month._write_records",),
     ("month._price", "month._waiting", "month._write_cases")),
    ("priced.parquet", "cases with every step of their price",
     ("month._price_files", "adjust._again", "year._effective"),
     ("month._waiting", "month.compute", "month._pool", "year._pool", "year.compute_year", "year._record")),
    ("settled.parquet", "cases of a year with what their pool pays", ("year._pool",),
     ("year.compute_year", "year._offsite")),
)  # fmt: skip
