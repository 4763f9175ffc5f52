"""Writers of Excel side by side: the cases of a run, 25 columns, into one sheet each.

    grouper synth -o city --rows 1236816 --months 6 --hospitals 40
    grouper settle --area lishui --month 2025-06 --input city/2025-06.parquet --budget city/budget.toml \\
        --hospitals city/hospitals.csv -o lake --no-report
    python benchmarks/workbooks.py lake/cases/*/*/*/*/*.parquet

Each writer runs in a process of its own; one that is not installed is passed over. Printed are CPU seconds,
the ratio to the first, the size of the file and the peak memory.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from grouper.report.case_book import CASES


def cases(path: str) -> pa.Table:
    """The columns of the sheet as texts and numbers."""
    table = pq.read_table(path, columns=[name for name, *_ in CASES])
    columns = [
        pc.cast(table[name], pa.string() if kind == "text" else pa.float64()) for name, _, kind, _ in CASES
    ]
    return pa.table(columns, names=[name for name, *_ in CASES]).combine_chunks()


def xlsxwriter(table: pa.Table, path: str) -> None:
    from xlsxwriter import Workbook

    with Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("cases")
        for row, values in enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True)):
            for column, value in enumerate(values):
                if isinstance(value, str):
                    sheet.write_string(row, column, value)
                elif value is not None:
                    sheet.write_number(row, column, value)


def polars(table: pa.Table, path: str) -> None:
    import polars as pl

    frame: Any = pl.from_arrow(table)
    frame.write_excel(path)


def rustpy(table: pa.Table, path: str) -> None:
    from rustpy_xlsxwriter import write_worksheet

    write_worksheet(table, path)


def rvgsrust(table: pa.Table, path: str) -> None:
    from rvgsrust_xlsxwriter import Workbook

    book = Workbook(path)
    book.add_worksheet("cases", constant_memory=True).write_dataframe(0, 0, table)
    book.close()


def jetxl(table: pa.Table, path: str) -> None:
    from jetxl import write_sheet_arrow

    write_sheet_arrow(table.to_batches()[0], path)


def csv(table: pa.Table, path: str) -> None:
    pyarrow.csv.write_csv(table, path)


WRITERS = {function.__name__: function for function in (xlsxwriter, polars, rustpy, rvgsrust, jetxl, csv)}


def measure(name: str, source: str) -> None:
    """Print what one writer took: CPU seconds, seconds, bytes, peak KiB."""
    table = cases(source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.xlsx"
        begin, wall = time.process_time(), time.perf_counter()
        WRITERS[name](table, str(path))
        took = time.process_time() - begin, time.perf_counter() - wall
        print(*took, path.stat().st_size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", help="a Parquet file of cases of a lake")
    parser.add_argument("--only", choices=WRITERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        measure(options.only, options.cases)
        return
    first = 0.0
    for name in WRITERS:
        command = [sys.executable, __file__, options.cases, "--only", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{name:12s} not measured: {done.stderr.strip().splitlines()[-1]}")
            continue
        cpu, wall, size, peak = map(float, done.stdout.split())
        first = first or cpu
        print(f"{name:12s} cpu {cpu:6.2f} s  {cpu / first:5.2f}x  {wall:6.2f} s  {size / 1e6:5.1f} MB  "
              f"peak {peak / 1024:5.0f} MiB", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
