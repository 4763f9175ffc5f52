"""Coefficients of whole files: read, add the columns, write; streaming, and visible only when whole."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.certified import marks, same_marks
from grouper.base.errors import ReconciliationError, UsageError
from grouper.base.output import Output, output_format
from grouper.base.paths import local_path
from grouper.base.provenance import read as read_provenance
from grouper.base.provenance import stamped
from grouper.base.whole import refuse_input
from grouper.coefficients.parameters import Coefficients, load

if TYPE_CHECKING:
    import pyarrow as pa

    from grouper.coefficients.step import Step, StepOptions
    from grouper.records import ColumnMap

_BATCH_ROWS = 250_000
# Options of grouping that say how its records are to be read; they are taken from its provenance.
_READING = ("codes", "repair_codes", "stay", "age", "age_days_unit", "allow_missing", "prefix")


@dataclass
class Summary:
    """What a run did. ``counts``: rows by tool ("" where none hit), and ``missing:`` tool."""

    parameters: Coefficients
    inputs: list[str]
    output: str
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def apply_files(
    inputs: Sequence[str | Path],
    output: str | Path,
    parameters: Coefficients | str | Path,
    *,
    layout: str | None = None,
    columns: ColumnMap | None = None,
    input_format: str | None = None,
    to: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    shared: bool = False,
    **options: Any,
) -> Summary:
    """Write the rows of grouped files with their coefficients; returns the summary. A new output may be read
    by others only with ``shared``.

    ``options`` are fields of StepOptions; those that are None or absent are the ones by which the
    files were grouped, as their provenance says, else the defaults. The output appears whole or not
    at all. Raises UsageError for a missing column, DataError naming row and column for a day without
    coefficients.
    """
    from grouper.coefficients.step import Step
    from grouper.records import open_records

    begin = time.perf_counter()
    paths, target = [str(path) for path in inputs], str(output)
    format_ = output_format(target, to)
    refuse_input(target, paths)
    chosen = parameters if isinstance(parameters, Coefficients) else load(parameters)
    before = marks(paths)
    made_by = [_provenance(path) for path in paths]
    how = step_options(made_by, options)
    source = open_records(
        paths,
        layout=layout,
        columns=columns,
        file_format=input_format,
        encoding=encoding,
        sheet=sheet,
        batch_rows=_BATCH_ROWS,
        keep_personal=True,  # whoever grouped the file has decided which columns it has
    )
    with source, Output(target, format_, private=not shared) as out:
        step = Step(chosen, source.columns, source.schema, how)
        writer = out.open(step.schema)
        summary = Summary(chosen, paths, target)
        for done in _computed(step, source.batches()):
            writer.write(done)
            summary.rows += done.num_rows
            if progress:
                progress(summary.rows, source.num_rows)
        _reconcile(summary, source.num_rows)
        summary.counts = step.counts
        summary.seconds = time.perf_counter() - begin
        writer.provenance = {**_common(made_by), "auxiliary_coefficients": _record(summary, how)}
        same_marks(before)  # the digests in it are of what was read
    return summary


def _reconcile(summary: Summary, read: int | None) -> None:
    if read not in (None, summary.rows):
        raise ReconciliationError(
            zh=f"行数不符：读入 {read}，写出 {summary.rows}；没有写出结果",
            en=f"rows do not add up: {read} read, {summary.rows} written; nothing was written",
        )


def _computed(step: Step, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches with their coefficients, one computed while the one before it is written."""
    rows = 0
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[pa.RecordBatch] | None = None
        for batch in batches:
            after = pool.submit(step.batch, batch, rows)
            rows += batch.num_rows
            if waiting:
                yield waiting.result()
            waiting = after
        if waiting:
            yield waiting.result()


def step_options(made_by: Sequence[dict[str, Any]], given: dict[str, Any]) -> StepOptions:
    """The options given, and for the others those of the grouping. Raises UsageError where files differ."""
    from grouper.coefficients.step import StepOptions

    found: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in _READING:
        values = [made["options"][name] for made in made_by if name in made.get("options", {})]
        if name in found or not values:
            continue
        if any(value != values[0] for value in values):
            raise UsageError(
                zh=f"各文件分组时的选项 {name} 不同（{values}）；请分别处理",
                en=f"the files were grouped with different options {name} ({values}); take them one by one",
            )
        found[name] = values[0]
    return StepOptions(**found)


def _provenance(path: str) -> dict[str, Any]:
    """What made a file, {} where it does not say."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return read_provenance(pq.read_schema(local_path(path)).metadata, path)
    except (OSError, pa.ArrowInvalid, ValueError):
        return {}


def _common(made_by: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The provenance of the grouping; of several files what they agree on, and each as a part."""
    if len(made_by) == 1:
        return dict(made_by[0])
    first = made_by[0] if made_by else {}
    agreed = {key: value for key, value in first.items() if all(m.get(key) == value for m in made_by)}
    return {**agreed, "parts": list(made_by)}


def _record(summary: Summary, how: StepOptions) -> dict[str, Any]:
    from grouper.base.digests import digests

    whole = summary.parameters
    return {
        **stamped(),
        "parameters": {
            "id": whole.id,
            "name": whole.name,
            "sha256": whole.digest,
            "source": whole.source,
            "valid_from": str(whole.valid_from),
            "valid_to": str(whole.valid_to),
            "verified": not whole.unverified,
            "unverified": list(whole.unverified),
        },
        "options": {
            **{name: value for name, value in how.__dict__.items() if value is not None},
            "as_of": str(how.as_of) if how.as_of else None,
            "allow_missing": sorted(how.allow_missing),
        },
        "inputs": digests([path for path in summary.inputs if Path(path).is_file()]),
        "rows": summary.rows,
        "by_tool": dict(sorted(summary.counts.items())),
    }
