"""A year settled month by month and cleared, each step a process of the command line: time and memory.

    python benchmarks/settle.py
    python benchmarks/settle.py --rows 60000000 --hospitals 500 --months 6     # one month of 5 million
    python benchmarks/settle.py --rows 100000000 --hospitals 900 --memory 6GB  # needs about 50 GB of disk

A synthetic city is made first. Printed are, for each month and for the clearing, the cases, seconds, CPU
seconds, both for a million rows of input, and the peak memory of the process. Without reports, whose
time goes with the number of hospitals; ``--reports`` writes them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq


def run(name: str, rows: int, arguments: list[str]) -> None:
    """Run a command; print what it took."""
    command = [sys.executable, "-P", "-m", "grouper", *arguments, "--lang", "en"]
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    told = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    wall, cpu = time.perf_counter() - begin, used.ru_utime + used.ru_stime
    if status:
        raise SystemExit(f"{name} failed:\n{told}")
    million = rows / 1_000_000
    print(
        f"{name:10s} {rows:12,d} rows  {wall:8.1f} s  cpu {cpu:8.1f} s  per million {wall / million:6.1f} s, "
        f"cpu {cpu / million:6.1f} s  peak {used.ru_maxrss // 1024:6,d} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the year")
    parser.add_argument("--months", default="1-12", help="as of `grouper synth`")
    parser.add_argument("--hospitals", type=int, default=120)
    parser.add_argument("--area", default="lishui")
    parser.add_argument("--memory", default="4GB", help="limit of the database")
    parser.add_argument("--reports", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder for city and lake; one that is there is used again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        city, lake = folder / "city", folder / "lake"
        if not city.is_dir():
            size = ["--rows", str(options.rows), "--hospitals", str(options.hospitals)]
            run("synth", options.rows, ["synth", "-o", str(city), *size, "--months", options.months])
        settle(city, lake, options)


def settle(city: Path, lake: Path, options: argparse.Namespace) -> None:
    """The months that the city has, and the clearing where it has all."""
    months = sorted(path for path in city.glob("????-??.parquet"))
    limits = ["--memory", options.memory, *([] if options.reports else ["--no-report"])]
    own = ["--area", options.area, "--budget", str(city / "budget.toml"), "-o", str(lake), *limits]
    rows = 0
    for month in months:
        here = pq.read_metadata(month).num_rows
        rows += here
        given = ["--input", str(month), "--hospitals", str(city / "hospitals.csv")]
        run(month.stem, here, ["settle", "--month", month.stem, *given, *own])
    if len(months) == 12:
        scores = ["--corrections", str(city / "assessment.csv")]
        run("clear", rows, ["clear", "--year", months[0].stem[:4], *scores, *own])


if __name__ == "__main__":
    main()
