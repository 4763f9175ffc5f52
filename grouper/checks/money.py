"""What a correction is worth: the amount of the record with it less the amount as it is, by the one pricing.

Only the record's own codes change places. Files are priced as files are, twice: as they are, and the records
that have a correction with it. A record by itself is priced as ``explain --policy`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from grouper.base.canonical import number_text
from grouper.base.errors import GrouperError, UsageError
from grouper.base.exact import decimal_of
from grouper.base.output import Output
from grouper.base.provenance import stamped
from grouper.base.sql import scan
from grouper.checks.evaluate import Batch, Checker
from grouper.checks.fields import Read
from grouper.payment.price.cases import SETTLED_BY_ITEM
from grouper.payment.price.inputs import DECIDED, GROUPED, INPUTS, Files, sources
from grouper.records import scalars
from grouper.records.columns import ColumnMap
from grouper.records.stays import Gate

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

_MADE = frozenset({"group", "principal", *GROUPED, "hospital_cases", "area_cases", "readmitted_after"})


class Spool:
    """Records as pricing reads them, kept in two files: as they are, and with their corrections.

    ``record_id`` is the number of the row, with the correction behind it in the second.
    """

    def __init__(self, folder: Path, checker: Checker, columns: ColumnMap, schema: pa.Schema) -> None:
        self._checker = checker
        self._columns = columns
        names = [name for name in (*INPUTS, "settlement_date") if name not in (*_MADE, *DECIDED)]
        self._names = [
            name
            for name in names
            if name in columns.fields and name not in ("record_id", "diagnoses", "procedures")
            and not columns.ambiguous(name)
        ]  # fmt: skip
        self.paths = {name: str(folder / f"{name}.parquet") for name in ("plain", "corrected")}
        self._outputs = {name: Output(path, "parquet", private=True) for name, path in self.paths.items()}
        self._writers: dict[str, Any] = {}
        self.corrected = 0

    def __enter__(self) -> Spool:
        for output in self._outputs.values():
            output.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        scheme = {"id": self._checker.grouper.id, "sha256": self._checker.grouper.engine.scheme.digest}
        options = self._checker.grouper.options.as_dict()
        for name, output in self._outputs.items():
            if name in self._writers:
                self._writers[name].provenance = {**stamped(), "scheme": scheme, "options": options}
            output.__exit__(*error)

    def add(self, batch: pa.RecordBatch, read: Read, done: Batch, first_row: int) -> None:
        """The records of a batch, and those with a correction that leads to a group."""
        rows = pa.array(range(batch.num_rows), pa.int64())
        self._write(
            "plain", batch, read, read.prepared, rows, [str(first_row + n + 1) for n in range(len(rows))]
        )
        wanted = done.findings.filter(pl.col("corrected_group").is_not_null())
        wanted = wanted.select("row", "correction").unique(maintain_order=True)
        for side, prefix in (("diagnoses", "principal="), ("procedures", "main=")):
            mine = wanted.filter(pl.col("correction").str.starts_with(prefix))
            if not mine.height:
                continue
            mine = mine.with_columns(
                row=pl.col("row") - first_row - 1, code=pl.col("correction").str.strip_prefix(prefix)
            )
            flat = done.codes(side).filter(pl.col("pos") > 0)
            placed = mine.join(
                flat.select("row", "code", "pos"), on=["row", "code"], how="left", maintain_order="left"
            )
            placed = placed.unique(["row", "correction"], keep="first", maintain_order=True)
            moved = self._checker.corrector.moved(side, placed, read.prepared)
            ids = [
                f"{row + first_row + 1}|{told}"
                for row, told in placed.select("row", "correction").iter_rows()
            ]
            self._write("corrected", batch, read, moved, pa.array(placed["row"].to_list(), pa.int64()), ids)
            self.corrected += len(ids)

    def _write(
        self,
        name: str,
        batch: pa.RecordBatch,
        read: Read,
        prepared: pa.RecordBatch,
        rows: pa.Array,
        ids: list[str],
    ) -> None:
        """Rows of a batch with the codes of ``prepared`` and the groups these give."""
        engine = self._checker.grouper.engine
        grouped = engine.group(prepared, read.flags.take(rows))
        columns = {"record_id": pa.array(ids, pa.string())}
        for field in self._names:
            given = read.columns.get(field)
            if given is None:
                given = self._columns.translated(field, batch.column(self._columns.fields[field].columns[0]))
            columns[field] = scalars.plain(given).take(rows)
        for side in ("diagnoses", "procedures"):
            if side in prepared.schema.names:
                columns[side] = prepared.column(side).cast(pa.list_(pa.string()))
        for field, array in zip(engine.result_fields, grouped.columns, strict=True):
            columns[field.name] = scalars.plain(array)
        made = pa.RecordBatch.from_pydict(columns)
        if name not in self._writers:
            self._writers[name] = self._outputs[name].open(made.schema)
        self._writers[name].write(made)


def price(
    connection: duckdb.DuckDBPyConnection,
    spool: Spool,
    policy: Policy,
    when: date | None,
    memory: str,
    threads: int,
) -> None:
    """Price what was kept, fill the table ``priced``, and give each finding its money.

    Raises UsageError for a column that the policy reads and the input lacks.
    """
    plain = _priced(spool, "plain", policy, when, memory, threads)
    names = connection.sql(f"SELECT * FROM {scan(plain)} LIMIT 0").columns
    own = [
        f"CAST({name} AS DOUBLE) AS {name}" if name in names else f"NULL::DOUBLE AS {name}"
        for name in ("cost_ratio", "high_limit")
    ]
    connection.execute(
        f"""CREATE TABLE priced AS
        SELECT CAST(record_id AS BIGINT) AS row, CAST(amount AS DECIMAL(18,2)) AS amount, {", ".join(own)},
               CAST(total_cost AS DECIMAL(18,2)) AS cost
        FROM {scan(plain)}"""
    )
    if not spool.corrected:
        return
    corrected = _priced(spool, "corrected", policy, when, memory, threads)
    connection.execute(
        f"""UPDATE findings SET money = CAST(c.amount - p.amount AS DECIMAL(18,2))
        FROM (SELECT record_id, amount FROM {scan(corrected)}) AS c, priced AS p
        WHERE c.record_id = findings.row || '|' || findings.correction AND p.row = findings.row"""
    )


def _priced(spool: Spool, name: str, policy: Policy, when: date | None, memory: str, threads: int) -> str:
    from grouper.payment.price.pricing import price_files

    path = spool.paths[name]
    output = path.removesuffix(".parquet") + "-priced.parquet"
    gate = Gate(dated=when is None, net=True)
    try:
        price_files(policy, Files([path], as_of=when, gate=gate), output, threads=threads, memory=memory)
    except GrouperError as error:  # it names a file of ours for the user's
        raise type(error)(
            zh=error.zh.replace(path, "输入"), en=error.en.replace(path, "the input")
        ) from error
    return output


def difference(
    policy: Policy,
    checker: Checker,
    read: Read,
    correction: str,
    record: Mapping[str, Any],
    when: date | None,
) -> Decimal | None:
    """Yuan of the only record of ``read`` with a correction less those without; None where it lacks what the
    policy reads, or is not paid."""
    subject, _, code = correction.partition("=")
    side, marks = (
        ("diagnoses", checker.diagnoses) if subject == "principal" else ("procedures", checker.procedures)
    )
    written = read.prepared.column(side)[0].as_py()
    place = next(n for n, text in enumerate(written) if n and marks.of(text or "").code == code)
    moved = checker.corrector.moved(side, pl.DataFrame({"row": [0], "pos": [place]}), read.prepared)
    amounts = [_amount(policy, checker, read, codes, record, when) for codes in (read.prepared, moved)]
    if amounts[0] is None or amounts[1] is None:
        return None
    return amounts[1] - amounts[0]


def _amount(
    policy: Policy,
    checker: Checker,
    read: Read,
    prepared: pa.RecordBatch,
    record: Mapping[str, Any],
    when: date | None,
) -> Decimal | None:
    from grouper.payment.explain.explain import day_of, explain_case
    from grouper.payment.price.accepted import row_words

    engine = checker.grouper.engine
    grouped = engine.group(prepared, read.flags)
    result = {
        field.name: array[0].as_py()
        for field, array in zip(engine.result_fields, grouped.columns, strict=True)
    }
    row = {name: value for name, value in record.items() if name in INPUTS and value is not None}
    row |= {
        name: array[0].as_py() for name, array in read.columns.items() if name in INPUTS and array[0].is_valid
    }
    row |= {
        name: prepared.column(name)[0].as_py()
        for name in prepared.schema.names
        if name in ("diagnoses", "procedures")
    }
    row |= {name: result[name] for name in GROUPED if name in result}
    row["group"] = next((result[name] for name in sources("group") if result.get(name)), None)
    for name in SETTLED_BY_ITEM:  # before settlement; the amount of a case does not rest on them
        row.setdefault(name, "0")
    if "discharge_date" in read.columns:
        row["discharge_date"] = read.columns["discharge_date"][0].as_py()
    try:
        explained = explain_case(policy, row_words(policy, row), when or day_of(row))
    except UsageError:
        return None
    found = explained.values.get("amount")
    return None if found is None else decimal_of(number_text(found))
