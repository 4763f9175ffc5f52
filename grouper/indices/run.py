"""The indices of grouped files, written as one table with what made it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grouper.base.certified import marks, same_marks
from grouper.base.digests import digests
from grouper.base.errors import UsageError
from grouper.base.output import Output, output_format
from grouper.base.provenance import stamped
from grouper.base.whole import refuse_input
from grouper.fitting.sums import workspace
from grouper.indices.cases import Columns, read_cases
from grouper.indices.measures import BY, measure, results, schema_of
from grouper.indices.parameters import Parameters, load


@dataclass
class Summary:
    """What a run did. ``counts``: records, and those left out of some index, by reason."""

    parameters: Parameters
    output: str
    by: str
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0


def compute(
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    by: str = "hospital",
    parameters: Parameters | str | Path | None = None,
    columns: Columns | None = None,
    to: str | None = None,
    memory: str = "2GiB",
    threads: int = 2,
) -> Summary:
    """Write the indices of grouped Parquet files (DIP or DRG) and return the summary.

    ``by``: "hospital", or "hospital-packet" for a row by packet too. The period is that of the files, the
    region all hospitals in them. The same files give the same bytes, whatever ``threads`` and ``memory``.
    Raises UsageError for a missing column, DataError for a value that cannot be read.
    """
    if by not in BY:
        raise UsageError(zh=f"--by 不能是 {by!r}；可用 {'、'.join(BY)}", en=f"--by is one of {', '.join(BY)}")
    begin = time.perf_counter()
    paths, target = [str(path) for path in inputs], str(output)
    chosen = parameters if isinstance(parameters, Parameters) else load(parameters)
    format_ = output_format(target, to)
    refuse_input(target, paths)
    before, found = marks(paths), digests(paths)
    summary = Summary(chosen, target, by)
    how = columns or Columns({})
    with workspace(memory, threads) as connection, Output(target, format_) as out:
        summary.counts, scheme = read_cases(connection, paths, chosen, how)
        summary.skipped = measure(connection, chosen)
        writer = out.open(schema_of(by))
        for batch in results(connection, chosen, by):
            writer.write(batch)
            summary.rows += batch.num_rows
        summary.seconds = time.perf_counter() - begin
        writer.provenance = _provenance(summary, found, scheme, how)
        same_marks(before)
    return summary


def _provenance(
    summary: Summary, inputs: list[dict[str, Any]], scheme: dict[str, Any], columns: Columns
) -> dict[str, Any]:
    """Software, parameters, inputs and counts; no times, so that equal inputs give equal files."""
    indices = {
        index.name: {
            "verified": index.verified,
            "source": index.source,
            "parameters": {key: _plain(value) for key, value in index.values.items()},
        }
        for index in summary.parameters.indices
    }
    return {
        **stamped(),
        "scheme": scheme,
        "parameters": {"id": summary.parameters.id, "sha256": summary.parameters.digest, "indices": indices},
        "not_computed": summary.skipped,
        "by": summary.by,
        "columns": {key: value for key, value in columns.__dict__.items() if value},
        "inputs": inputs,
        "counts": dict(sorted(summary.counts.items())),
        "rows": summary.rows,
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | str | list) else str(value)
