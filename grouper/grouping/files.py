"""Group whole files: read, normalise, group, write; counted at every step and checked at the end."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from grouper.base.ahead import ahead
from grouper.base.certified import marks, same_marks
from grouper.base.digests import sha256, sha256_of
from grouper.base.errors import DataError, ReconciliationError
from grouper.base.machine import peak_rss_mib
from grouper.base.output import Output, output_format
from grouper.base.provenance import stamped
from grouper.base.reasons import REASONS, STATUS_NAMES
from grouper.base.shown import Shown, counted
from grouper.base.whole import refuse_input
from grouper.grouping.family import family

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper
    from grouper.records import ColumnMap, Normaliser

Progress = Callable[[int, int | None], None]  # rows done, rows in all where known
_BATCH_ROWS = 250_000


@dataclass
class Summary(Shown):
    """What a run did. ``rows`` came in and went out; ``statuses`` and ``reasons`` add up to it."""

    scheme: str
    inputs: list[str]
    output: str
    layout: str
    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, str] = field(default_factory=dict)  # columns with personal data, and of which kind
    noticed: dict[str, str] = field(default_factory=dict)  # those that stay because a field is read from them
    unread: dict[str, str] = field(default_factory=dict)  # columns of codes that no field is read from
    seconds: float = 0.0
    peak_rss_mib: int | None = None  # not known on every system

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.scheme}: {self.rows:,} rows ({counted(self.statuses)}) → {self.output}"

    def add(self, done: _Done) -> None:
        self.rows += done.rows
        self.reasons += done.reasons
        self.codes += done.codes
        self.fields += done.fields


class _Done(NamedTuple):
    """A grouped batch on its way to the writer, with its counts."""

    batch: pa.RecordBatch
    rows: int
    reasons: Counter[str]
    codes: Counter[str]
    fields: Counter[str]


def group_files(
    grouper: Grouper,
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    layout: str | None = None,
    columns: ColumnMap | None = None,
    input_format: str | None = None,
    to: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    keep_personal: bool = False,
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    workers: int = 1,
    progress: Progress | None = None,
    shared: bool = False,
) -> Summary:
    """Group files into one output file and return the summary.

    The output appears whole or not at all. Rows come out in the order in which they came in.
    Columns with personal data are left out by their names and their values (records.private), but for those
    in ``keep`` (``keep_personal``: all) and those from which a field is read; those in ``drop`` are.
    ``workers`` threads group; with more than one, reading and writing overlap with grouping.
    Raises UsageError for a missing column or an unknown layout before any work,
    DataError for unreadable input, ReconciliationError when the rows do not add up.
    """
    from grouper.records import open_records

    begin = time.perf_counter()
    target, paths = str(output), [str(path) for path in inputs]
    format_ = output_format(target, to)
    refuse_input(target, paths)
    before = marks(paths)
    source = open_records(
        paths,
        layout=layout,
        columns=columns,
        file_format=input_format,
        encoding=encoding,
        sheet=sheet,
        batch_rows=_BATCH_ROWS,
        keep_personal=keep_personal,
        keep=keep,
        drop=drop,
        look=True,
    )
    with source, Output(target, format_, private=not shared) as out:
        normaliser = grouper.normaliser(source.columns, source.schema)
        schema = grouper.result_schema(source.schema)
        summary = Summary(grouper.id, paths, target, source.layout, dropped=source.kinds)
        summary.noticed, summary.unread = source.noticed, source.unread
        writer = out.open(schema)
        for done in _grouped(grouper, normaliser, source.batches(), schema, workers):
            with _writable(target):
                if format_ == "parquet":
                    _check_seconds(done.batch)
                writer.write(done.batch)
            summary.add(done)
            if progress:
                progress(summary.rows, source.num_rows)
        summary.fields += getattr(source, "counts", Counter())
        _reconcile(summary, source.num_rows)
        summary.seconds = time.perf_counter() - begin
        summary.peak_rss_mib = peak_rss_mib()
        writer.provenance = provenance(grouper, summary)
        same_marks(before)  # the digests in it are of what was read
    return summary


def _check_seconds(batch: pa.RecordBatch) -> None:
    """Parquet counts times in milliseconds at least; older libraries wrap those that do not fit."""
    for column in batch.columns:
        if pa.types.is_timestamp(column.type) and column.type.unit == "s":
            column.cast(pa.timestamp("ms", column.type.tz))


@contextmanager
def _writable(target: str) -> Iterator[None]:
    """Raise DataError for values that the format of the output has not: times before or beyond its own."""
    try:
        yield
    except pa.ArrowException as error:
        raise DataError(
            zh=f"{target}：输入中有这种输出格式写不了的值（如超出范围的时间）；请改用 CSV 输出，或去掉该列",
            en=f"{target}: the input holds values that this format has not (times out of range); write "
            "CSV, or leave the column out",
        ) from error


def _grouped(
    grouper: Grouper,
    normaliser: Normaliser,
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    workers: int,
) -> Iterator[_Done]:
    """The grouped batches in the order of the input."""
    first_row = 0

    def jobs() -> Iterator[tuple[pa.RecordBatch, int]]:
        nonlocal first_row
        for batch in batches:
            yield batch, first_row
            first_row += batch.num_rows

    def work(job: tuple[pa.RecordBatch, int]) -> _Done:
        batch, row = job
        prepared = normaliser.prepare(batch, row)
        grouped = grouper.grouped(prepared)
        whole = pa.RecordBatch.from_arrays([*batch.columns, *grouped.columns], schema=schema)
        return _Done(whole, batch.num_rows, grouped.reasons, grouped.codes, prepared.counts)

    if workers <= 1:
        yield from map(work, jobs())
        return
    groupers = workers - 1  # reading and writing keep the rest busy
    with ahead(jobs()) as read, ThreadPoolExecutor(groupers) as pool:
        running: deque[Future[_Done]] = deque()
        for job in read:
            running.append(pool.submit(work, job))
            if len(running) > groupers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _reconcile(summary: Summary, expected: int | None) -> None:
    """Rows in = rows out = rows by status, or nothing is written."""
    names = {reason.code: STATUS_NAMES[reason.status] for reason in REASONS}
    for code, number in summary.reasons.items():
        summary.statuses[names[code]] += number
    total = sum(summary.statuses.values())
    if total != summary.rows or expected not in (None, summary.rows):
        raise ReconciliationError(
            zh=f"行数不符：读入 {expected}，写出 {summary.rows}，按状态合计 {total}；没有写出结果",
            en=f"rows do not add up: {expected} read, {summary.rows} written, {total} by status; "
            "nothing was written",
        )


def provenance(grouper: Grouper, summary: Summary) -> dict[str, Any]:
    """What made a result: software, scheme, options, inputs and counts."""
    scheme = grouper.engine.scheme
    return {
        **stamped(),
        "scheme": {
            "id": grouper.id,
            "name": scheme.name,
            "sha256": scheme.digest,
            "base": scheme.meta.get("base"),
            "validity_verified": bool(scheme.meta.get("validity_verified")),
        },
        "options": grouper.options.as_dict(),
        "scheme_options": family(grouper.engine.kind).options(scheme),
        "inputs": [input_digest(path) for path in summary.inputs],
        "layout": summary.layout,
        "dropped_columns": list(summary.dropped),
        "dropped_kinds": summary.dropped,
        "personal_columns_read": summary.noticed,
        "code_columns_not_read": summary.unread,
        "rows": summary.rows,
        "statuses": dict(sorted(summary.statuses.items())),
        "reasons": dict(sorted(summary.reasons.items())),
        "codes": dict(sorted(summary.codes.items())),
        "fields": dict(sorted(summary.fields.items())),
    }


def input_digest(path: str) -> dict[str, Any]:
    """Name, size and SHA-256 of an input file (of the files of a folder)."""
    if path == "-":
        return {"name": "-"}
    parts = sorted(p for p in Path(path).rglob("*") if p.is_file()) if Path(path).is_dir() else [Path(path)]
    digests = [sha256(part) for part in parts]
    return {
        "name": os.path.basename(path),
        "bytes": sum(part.stat().st_size for part in parts),
        "sha256": digests[0] if len(parts) == 1 else sha256_of("".join(digests)),
    }
