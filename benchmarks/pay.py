"""Pricing against grouping: the same cases, in turn, each in a fresh process.

    python benchmarks/pay.py
    python benchmarks/pay.py --rows 2000000 --policy national/drg-rate --runs 5

A month of the synthetic city is made once, grouped by the policy's scheme, then priced. Printed are
the ratios pricing / grouping, Parquet to Parquet, wall time and CPU time, with 1 and 2 threads, as
median with the smallest and largest of the pairs, and the peak memory of pricing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import shown


def _child(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{run.stderr}")
    return json.loads(run.stdout)


def _cost(begin: tuple[float, os.times_result], rss: int) -> dict[str, Any]:
    wall, cpu = begin
    now = os.times()
    return {
        "wall": time.perf_counter() - wall,
        "cpu": now.user + now.system - cpu.user - cpu.system,
        "rss": rss,
    }


def group(source: Path, target: Path, scheme: str, threads: int) -> dict[str, Any]:
    import pyarrow as pa

    import grouper

    pa.set_cpu_count(threads)
    loaded = grouper.load_scheme(scheme)
    begin = (time.perf_counter(), os.times())
    summary = grouper.group_files(loaded, [source], target, workers=threads)
    return _cost(begin, summary.peak_rss_mib)


def price(source: Path, target: Path, policy: str, hospitals: Path, threads: int) -> dict[str, Any]:
    import pyarrow as pa

    from grouper.payment.policy.policy import find_policy
    from grouper.payment.price.cases import Files
    from grouper.payment.price.pricing import price_files

    pa.set_cpu_count(threads)
    found = find_policy(policy)
    begin = (time.perf_counter(), os.times())
    done = price_files(found, Files([str(source)], hospitals=str(hospitals)), str(target), threads=threads)
    return _cost(begin, done.peak_rss_mib)


def city(folder: Path, rows: int) -> tuple[Path, Path]:
    """About ``rows`` clean cases of one month, and the table of hospitals."""
    from grouper.synth.city import City, write_city

    made = City(rows=rows * 12, refunds=0, dirty=0)
    write_city(folder, made, months=[6])
    return folder / f"{made.year}-06.parquet", folder / "hospitals.csv"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--policy", default="national/drg-rate")
    parser.add_argument("--scheme", help="where the policy names none")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="folder for the made files")
    parser.add_argument("--one", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        kind, source, target, name, threads, *rest = options.one
        paths = Path(source), Path(target)
        if kind == "group":
            print(json.dumps(group(*paths, name, int(threads))))
        else:
            print(json.dumps(price(*paths, name, Path(rest[0]), int(threads))))
        return
    from grouper.payment.policy.policy import find_policy

    scheme = options.scheme or find_policy(options.policy).scheme
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        month, hospitals = city(folder, options.rows)
        grouped, priced = folder / "grouped.parquet", folder / "priced.parquet"
        for threads in (1, 2):
            walls, cpus, rss = [], [], 0
            for number in range(options.runs + 1):
                g = _child("--one", "group", str(month), str(grouped), scheme, str(threads))
                p = _child(
                    "--one", "price", str(grouped), str(priced), options.policy, str(threads), str(hospitals)
                )
                if number:  # the first pair warms up
                    walls.append(p["wall"] / g["wall"])
                    cpus.append(p["cpu"] / g["cpu"])
                    rss = max(rss, p["rss"])
            print(f"{threads} thread(s): wall {shown(walls)}, cpu {shown(cpus)}, peak {rss} MiB", flush=True)


if __name__ == "__main__":
    main()
