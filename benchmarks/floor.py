"""The floor under every figure: reading a Parquet file and writing it again, with nothing done in between.

    python benchmarks/floor.py bench.parquet
    python benchmarks/floor.py bench.parquet --read record_id,diagnoses --write record_id --repeat 5

Each measurement is a fresh process, so peak memory is its own and nothing is
warm but the page cache. One JSON object a line: threads, seconds (the best of
the repeats), peak_rss_mib, rows, read and written columns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

CODE_COLUMNS = ("diagnoses", "procedures")


def copy(
    source: Path,
    target: Path,
    *,
    threads: int = 1,
    read: Sequence[str] | None = None,
    write: Sequence[str] | None = None,
    tuned: bool = False,
) -> int:
    """Stream ``source`` to ``target`` (zstd), a row group at a time, and give the number of rows.

    Code columns stay dictionaries. ``read`` and ``write`` limit the columns
    (``write`` to some of ``read``). ``tuned`` writes with the settings of the program itself
    instead of those that pyarrow has by default. One thread does everything in turn; with
    two, one reads the next batch while the other writes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(threads)
    pa.set_io_thread_count(threads)
    file = pq.ParquetFile(source, read_dictionary=[f"{name}.list.element" for name in CODE_COLUMNS])
    batches = row_groups(file, list(read) if read else None, threads > 1)
    rows = 0
    writer = None
    for batch in ahead(batches) if threads > 1 else batches:
        out = batch.select(list(write)) if write else batch
        if writer is None:
            writer = pq.ParquetWriter(target, out.schema, **_settings(out.schema, tuned))
        writer.write_batch(out)
        rows += batch.num_rows
    if writer is not None:
        writer.close()
    return rows


def _settings(schema: pa.Schema, tuned: bool) -> dict:
    if not tuned:
        return {"compression": "zstd"}
    from grouper.base.output import parquet_options

    return parquet_options(schema)


def row_groups(
    file: pq.ParquetFile, columns: list[str] | None, use_threads: bool
) -> Iterator[pa.RecordBatch]:
    """One batch for each row group: dictionaries of list columns cannot span two of them in a batch."""
    for number in range(file.num_row_groups):
        rows = file.metadata.row_group(number).num_rows
        yield from file.iter_batches(rows, row_groups=[number], columns=columns, use_threads=use_threads)


def ahead(batches: Iterator) -> Iterator:
    """The same batches, the next one being fetched in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def measure(
    source: Path,
    *,
    threads: int = 1,
    read: Sequence[str] | None = None,
    write: Sequence[str] | None = None,
    repeat: int = 1,
) -> dict:
    """Run :func:`copy` in ``repeat`` fresh processes and give the fastest; seconds without imports.

    Raises subprocess.CalledProcessError when one fails.
    """
    command = [sys.executable, __file__, str(source), "--inner", "--threads", str(threads)]
    command += ["--read", ",".join(read)] if read else []
    command += ["--write", ",".join(write)] if write else []
    runs = (subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(repeat))
    return min((json.loads(run.stdout) for run in runs), key=lambda result: result["seconds"])


def once(
    source: Path,
    threads: int,
    read: Sequence[str] | None = None,
    write: Sequence[str] | None = None,
    tuned: bool = False,
) -> dict:
    """One measurement in this process, which must be fresh."""
    import resource

    import pyarrow.parquet  # noqa: F401 - importing is no part of the floor

    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        start = time.perf_counter()
        rows = copy(
            source, Path(folder) / "copy.parquet", threads=threads, read=read, write=write, tuned=tuned
        )
        seconds = time.perf_counter() - start
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes there, in KiB elsewhere
    return {
        "threads": threads,
        "seconds": round(seconds, 3),
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1),
        "rows": rows,
        "read": list(read) if read else "all",
        "write": list(write) if write else "as read",
    }


def names(text: str) -> list[str]:
    """Column names parted by commas."""
    return text.split(",")


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("source", type=Path, help="Parquet file")
    parser.add_argument("--threads", type=int, choices=(1, 2), help="only this number; default both")
    parser.add_argument("--read", type=names, help="columns to read; default all")
    parser.add_argument("--write", type=names, help="columns to write; default as read")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the fastest counts; default 3")
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inner:
        print(json.dumps(once(args.source, args.threads, args.read, args.write)))
        return
    for threads in (args.threads,) if args.threads else (1, 2):
        result = measure(args.source, threads=threads, read=args.read, write=args.write, repeat=args.repeat)
        print(json.dumps(result))


if __name__ == "__main__":
    main()
