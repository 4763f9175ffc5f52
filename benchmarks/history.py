"""Measure the statistics over history: weights from grouped files, a DIP catalogue from ungrouped ones.

    python benchmarks/history.py
    python benchmarks/history.py --rows 250000 1000000 --runs 3 --threads 1

The records are synthetic (grouper.synth.rows), a third of them in each of three years. Making and grouping
the files is not timed. Each measurement is a fresh process, so peak memory is its own. One JSON object
a line: what, rows, seconds (the median of the runs), records a second, peak_rss_mib (the largest).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCHEME = "chs-drg-2.0"
YEARS = (2023, 2024, 2025)
ROWS = (250_000, 1_000_000, 3_000_000)


def make(folder: Path, rows: int) -> tuple[list[str], list[str]]:
    """The files of three years, as they are and grouped."""
    from grouper.grouping.api import load_scheme
    from grouper.grouping.files import group_files
    from grouper.synth.rows import write_parquet

    plain, grouped = [], []
    for place, year in enumerate(YEARS):
        part = rows // 3 + (rows % 3 > place)
        source, target = folder / f"{year}.parquet", folder / f"{year}-grouped.parquet"
        write_parquet(source, part, seed=year, month=f"{year}-06")
        group_files(load_scheme(SCHEME), [source], target, workers=2)
        plain.append(str(source))
        grouped.append(str(target))
    return plain, grouped


def measure(what: str, paths: list[str], threads: int, memory: str) -> None:
    """One run in this process; prints seconds and peak memory."""
    begin = time.perf_counter()
    if what == "weights":
        from grouper.fitting.weights import WeightOptions, fit, weights_text

        weights_text(fit(paths, SCHEME, WeightOptions(threads=threads, memory=memory)))
    else:
        from grouper.fitting.catalogue import CatalogueOptions, build, catalogue_text

        catalogue_text(build(paths, CatalogueOptions(threads=threads, memory=memory)))
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": seconds, "peak_rss_mib": peak}))


def child(*arguments: str) -> dict[str, float]:
    """Run this file for one measurement and read its answer."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{run.stderr}")
    return json.loads(run.stdout)


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help=f"default {ROWS}")
    parser.add_argument("--runs", type=int, default=3, help="default 3")
    parser.add_argument("--threads", type=int, default=2, help="of the database, default 2")
    parser.add_argument("--memory", default="2GiB", help="of the database, default 2GiB")
    parser.add_argument("--measure", choices=["weights", "catalogue"], help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure, args.paths, args.threads, args.memory)
        return
    for rows in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            plain, grouped = make(Path(folder), rows)
            for what, paths in (("weights", grouped), ("catalogue", plain)):
                common = ("--threads", str(args.threads), "--memory", args.memory)
                found = [child("--measure", what, *common, "--", *paths) for _ in range(args.runs)]
                seconds = statistics.median(run["seconds"] for run in found)
                line = {
                    "what": what,
                    "rows": rows,
                    "seconds": round(seconds, 2),
                    "records_per_second": round(rows / seconds),
                    "peak_rss_mib": max(run["peak_rss_mib"] for run in found),
                }
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
