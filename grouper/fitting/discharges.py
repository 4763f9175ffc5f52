"""Discharges with costs as the table ``records``: numbers for the diagnosis key and the operations.

``records`` has k (rank of the key of the principal diagnosis), main (main operation, -1 for none),
related (sorted, without repeats and without the main one), class (the highest of all operations),
y, fen, drug and consumable. An operation is the number 4 · rank of its code + class, so that
numbers compare as codes do, and carry their class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.arrow import int32_array
from grouper.base.errors import UsageError
from grouper.base.money import cost_columns, refuse
from grouper.base.sql import quote
from grouper.codes import icd
from grouper.codes.book import CodeBook, CodeOptions
from grouper.fitting.history import HistoryOptions, left_out, year_sql
from grouper.records.stays import STAGED, pass_gate, stage

if TYPE_CHECKING:
    import duckdb

    from grouper.records import Normaliser, RecordSource

CLASSES = ("conservative", "diagnostic", "therapeutic", "surgical")
KEY = 5  # characters of the diagnosis key, the dot included
_MISSING, _UNKNOWN, _LOST_ZERO = -1, -2, -3  # in place of a rank
_RECORDS = """CREATE TABLE records (k INTEGER, main INTEGER, related INTEGER[], class INTEGER, y INTEGER,
    fen BIGINT, drug BIGINT, consumable BIGINT, n BIGINT)"""
# What the gate reads of all rows, and the rows that nothing else keeps out.
AT_GATE = f"{STAGED}; CREATE TABLE usable (n BIGINT)"
_COSTS = {"total_cost": "fen", "drug_cost": "drug", "consumable_cost": "consumable"}


@dataclass(frozen=True)
class Codes:
    """The codes of both sides and their numbers. ``interventional_as``: class of that kind."""

    interventional_as: str = "therapeutic"
    options: CodeOptions = field(default_factory=CodeOptions)

    @cached_property
    def diagnoses(self) -> list[str]:
        return sorted(icd.diagnoses(), key=str.upper)

    @cached_property
    def procedures(self) -> list[str]:
        return sorted(icd.procedures(), key=str.upper)

    @cached_property
    def keys(self) -> list[str]:
        """The keys of all diagnoses, in order."""
        return sorted({code[:KEY].upper() for code in self.diagnoses})

    @cached_property
    def key_numbers(self) -> pa.Array:
        """By id + 2 of a diagnosis: the rank of its key."""
        rank = {key: number for number, key in enumerate(self.keys)}
        numbers = [rank[code[:KEY].upper()] for code in self.diagnoses]
        return pa.array([_LOST_ZERO, _MISSING, _UNKNOWN, *numbers], pa.int32())

    @cached_property
    def operation_numbers(self) -> pa.Array:
        """By id + 2 of a procedure: its number."""
        kinds = icd.procedure_kinds()
        classes = {"surgery": 3, "therapeutic": 2, "diagnostic": 1, "": 0}
        classes["interventional"] = CLASSES.index(self.interventional_as)
        numbers = [4 * rank + classes[kinds[code]] for rank, code in enumerate(self.procedures)]
        return pa.array([_LOST_ZERO, _MISSING, _UNKNOWN, *numbers], pa.int32())

    @cached_property
    def diagnosis_book(self) -> CodeBook:
        return CodeBook("diagnosis", self.diagnoses, icd.crosswalk("diagnosis"), self.options)

    @cached_property
    def procedure_book(self) -> CodeBook:
        return CodeBook("procedure", self.procedures, icd.crosswalk("procedure"), self.options)

    def operation(self, number: int) -> str:
        """The code of an operation by its number."""
        return self.procedures[number // 4]


@dataclass
class Counts:
    """Records left out by reason, codes by what was done to them, fields by what was normalised."""

    left_out: Counter[str]
    codes: Counter[str]
    fields: Counter[str]
    files: int = 0  # that were read before
    before: int = 0  # rows of the files before the one that is read
    has: set[str] = field(default_factory=set)  # what the gate can ask of some file


def read_discharges(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[str],
    codes: Codes,
    options: HistoryOptions,
    related: bool,
) -> Counts:
    """Fill ``records`` from files of any known layout; ``related``: keep operations beside the main one.

    Raises UsageError for a missing column, DataError for unreadable files and amounts.
    """
    connection.execute(_RECORDS)
    connection.execute(AT_GATE)
    counts = Counts(Counter(), Counter(), Counter())
    for path in paths:
        _read_file(connection, path, codes, options, related, counts)
    return counts


def _read_file(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    codes: Codes,
    options: HistoryOptions,
    related: bool,
    counts: Counts,
) -> None:
    from grouper.records import Normaliser, open_records

    with open_records([path]) as source:
        normaliser = Normaliser(source.columns, ("diagnoses", "procedures"))
        normaliser.check(source.schema)
        columns = source_columns(source, path, options)
        first = 0
        for batch in source.batches():
            staged = _numbers(batch, normaliser, codes, counts, first)
            for name, column in columns.items():
                staged[name] = batch.column(column)
            stage_for_gate(connection, batch, source, columns["fen"], first, counts)
            _insert(connection, pa.table(staged), path, columns, options, related, counts)
            first += batch.num_rows
        counts.before += first
        counts.files += 1


def stage_for_gate(
    connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch, source: RecordSource, cost: str, first: int,
    counts: Counts,
) -> None:  # fmt: skip
    """Keep of a batch what the gate reads; ``first``: rows of its file before it."""
    before = counts.before + first + 1
    counts.has |= stage(connection, batch, source.columns, before, file=counts.files, cost=cost)


def leave_at_gate(connection: duckdb.DuckDBPyConnection, counts: Counts) -> None:
    """Take out of ``records`` what is no stay, of all files together, and count it."""
    pass_gate(connection, "SELECT * FROM at_gate", counts.has)
    rows = connection.execute(
        "SELECT reason, count(*) FROM gate_left JOIN usable USING (n) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    counts.left_out += Counter(dict(rows))
    connection.execute("DELETE FROM records WHERE n IN (SELECT n FROM gate_left)")


def source_columns(source: RecordSource, path: str, options: HistoryOptions) -> dict[str, str]:
    """Source column of each cost that there is, and of the year."""
    wanted = {"fen": (options.cost_column, "--cost-column"), "drug": ("drug_cost", ""),
              "consumable": ("consumable_cost", ""),
              "when": (options.year_column or "discharge_date", "--year-column")}  # fmt: skip
    found: dict[str, str] = {}
    for name, (column, flag) in wanted.items():
        mapped = source.columns.fields.get(column)
        if column in source.schema.names:
            found[name] = column
        elif mapped and len(mapped.columns) == 1:
            found[name] = mapped.columns[0]
        elif flag:
            raise UsageError(
                zh=f"{path} 缺少列 {column}；请用 {flag} 指明",
                en=f"{path} has no column {column}; name it with {flag}",
            )
    return found


def _numbers(
    batch: pa.RecordBatch, normaliser: Normaliser, codes: Codes, counts: Counts, first: int
) -> dict[str, pa.Array]:
    """Key and operations of each row as numbers, and the number of the row from 1."""
    rows = batch.num_rows
    prepared = normaliser.prepare(batch, first)
    counts.fields += prepared.counts
    offsets, ids = codes.diagnosis_book.row_ids(prepared.batch.column("diagnoses"), counts.codes)
    keys = pc.take(codes.key_numbers, pc.add(int32_array(ids, len(ids)), 2))
    diagnoses = pa.ListArray.from_arrays(int32_array(offsets, rows + 1), keys)
    offsets, ids = codes.procedure_book.row_ids(prepared.batch.column("procedures"), counts.codes)
    operations = pc.take(codes.operation_numbers, pc.add(int32_array(ids, len(ids)), 2))
    return {
        "diagnoses": diagnoses,
        "ops": pa.ListArray.from_arrays(int32_array(offsets, rows + 1), operations),
        "row": pa.array(range(first + 1, first + rows + 1), pa.int64()),
    }


def _insert(
    connection: duckdb.DuckDBPyConnection,
    staged: pa.Table,
    path: str,
    columns: dict[str, str],
    options: HistoryOptions,
    related: bool,
    counts: Counts,
) -> None:
    """Put the usable rows of a batch into ``records`` and count the others."""
    rest = "list_sort(list_distinct(list_filter(ops[2:], lambda x: x <> ops[1])))" if related else "[]"
    costs_and_year(
        connection,
        staged,
        path,
        columns,
        options,
        counts,
        read=f"coalesce(diagnoses[1], {_MISSING}) AS k, ops",
        chosen=f"""k, coalesce(ops[1], -1) AS main, CAST({rest} AS INTEGER[]) AS related,
            coalesce(list_max(list_transform(ops, lambda x: x % 4)), 0) AS class""",
        reason=f"""WHEN k = {_MISSING} THEN 'principal-missing' WHEN k < 0 THEN 'principal-unknown'
                WHEN list_contains(ops, {_LOST_ZERO}) THEN 'lost-zero'
                WHEN list_contains(ops, {_UNKNOWN}) THEN 'procedure-unknown'""",
    )
    connection.execute(
        f"""INSERT INTO records SELECT k, main, related, class, y, fen, drug, consumable,
            row + {counts.before} FROM staged WHERE reason IS NULL"""
    )
    connection.unregister("batch")


def costs_and_year(
    connection: duckdb.DuckDBPyConnection,
    staged: pa.Table,
    path: str,
    columns: dict[str, str],
    options: HistoryOptions,
    counts: Counts,
    *,
    read: str,
    chosen: str,
    reason: str,
) -> None:
    """Make the table ``staged``: ``chosen`` of ``read`` with costs in fen, year and the reason to leave out.

    ``reason``: SQL cases that go before those of costs and year. Counts the rows that are left out; raises
    DataError for the first amount that cannot be read. The caller unregisters ``batch``.
    """
    costs = [
        cost_columns(quote(name), staged.schema.field(name).type, f"{name}_", options.round_cost)
        if name in columns
        else f"NULL::BIGINT AS {name}_, NULL AS {name}__fault"
        for name in _COSTS.values()
    ]
    year = year_sql("when", staged.schema, bool(options.year_column))
    connection.register("batch", staged)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE staged AS
        WITH read AS (
            SELECT {read}, row, {", ".join(costs)}, {year} AS y
            FROM batch
        )
        SELECT {chosen},
            y, fen_ AS fen, drug_ AS drug, consumable_ AS consumable, row,
            coalesce(fen__fault, drug__fault, consumable__fault) AS fault,
            CASE WHEN fen__fault IS NOT NULL THEN 'fen' WHEN drug__fault IS NOT NULL THEN 'drug'
                ELSE 'consumable' END AS faulty,
            CASE {reason}
                WHEN coalesce(fen__fault, drug__fault, consumable__fault) IS NOT NULL THEN 'fault'
                WHEN coalesce(fen_, 0) <= 0 THEN 'gate'
                WHEN y IS NULL THEN 'no-year' {options.other_year("y")} END AS reason
        FROM read"""
    )
    left = left_out(connection)
    left.pop("gate", 0)  # the gate knows better why
    connection.execute(
        f"INSERT INTO usable SELECT row + {counts.before} FROM staged WHERE coalesce(reason, 'gate') = 'gate'"
    )
    if left.pop("fault", 0):
        query = "SELECT fault, faulty, row FROM staged WHERE reason = 'fault' ORDER BY row LIMIT 1"
        kind, name, row = connection.execute(query).fetchall()[0]
        place = pc.index(staged["row"], row).as_py()
        raise refuse(kind, path, row, columns[name], staged[name][place].as_py())
    counts.left_out += left
