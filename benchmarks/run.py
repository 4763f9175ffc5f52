"""Measure the program: kernel rates, Parquet to grouped Parquet against the floor, cold start.

    python benchmarks/run.py bench.parquet
    python benchmarks/run.py bench.parquet --runs 9 --scheme zhejiang-2024
    python benchmarks/run.py bench.parquet --scheme dip-taian-2025
    python benchmarks/run.py bench-20m.parquet --memory

Every measurement is a fresh process. Ratios are taken pair by pair, A B A B …, so that a
machine whose speed drifts does not decide them; the median is printed, with the smallest
and the largest. The floor reads and writes the same file and does nothing in between.
``--memory`` gives the peak memory of grouping the file, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def _child(*arguments: str) -> dict[str, Any]:
    """Run this file for one measurement and read its answer."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{run.stderr}")
    return json.loads(run.stdout)


def _seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def paired(first: Callable[[], float], second: Callable[[], float], runs: int) -> list[float]:
    """Ratios first / second, measured in turn after one warm-up of each."""
    first(), second()
    return [first() / second() for _ in range(runs)]


def shown(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


# --- measurements, each in a process of its own ----------------------------------------------


def measure_pipeline(source: Path, scheme: str, workers: int) -> dict[str, Any]:
    """Seconds and peak memory of grouping the file through the public function."""
    import pyarrow as pa

    pa.set_cpu_count(workers)
    pa.set_io_thread_count(workers)
    import grouper

    loaded = grouper.load_scheme(scheme)
    _ = loaded.engine.compiled.kernel  # made when it is first asked for
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        summary = grouper.group_files(loaded, [source], Path(folder) / "grouped.parquet", workers=workers)
    return {"seconds": summary.seconds, "rss": summary.peak_rss_mib, "rows": summary.rows}


def measure_floor(source: Path, threads: int, tuned: bool) -> dict[str, Any]:
    sys.path.insert(0, str(HERE))
    from floor import once

    found = once(source, threads, tuned=tuned)
    return {"seconds": found["seconds"], "rss": found["peak_rss_mib"], "rows": found["rows"]}


def measure_kernel(source: Path, scheme: str) -> dict[str, Any]:
    """Records a second: the kernel on ids, with codes from plain strings, and from dictionaries."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    import grouper

    pa.set_cpu_count(1)
    engine = grouper.load_scheme(scheme).engine
    columns = ["diagnoses", "procedures", *engine.compiled.fields]
    plain = next(pq.ParquetFile(source).iter_batches(250_000, columns=columns))
    coded = [f"{name}.list.element" for name in ("diagnoses", "procedures")]
    encoded = next(pq.ParquetFile(source, read_dictionary=coded).iter_batches(250_000, columns=columns))
    works = _dip_works if scheme.startswith("dip-") else _drg_works
    rates = _rates(works(engine, plain, encoded))
    return {name: plain.num_rows / seconds for name, seconds in rates.items()}


Works = dict[str, Callable[[], Any]]


def _rates(works: Works) -> dict[str, float]:
    """The median seconds of each of 15 runs, taken in turn, so that a drift meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(15):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _drg_works(engine: Any, plain: Any, encoded: Any) -> Works:
    from collections import Counter

    from grouper.base.arrow import empty

    rows = plain.num_rows
    outputs = [empty("i", rows) for _ in range(5)]

    def ids(batch: Any) -> list[memoryview]:
        dx = engine.diagnoses.row_ids(batch["diagnoses"], Counter())
        return [*dx, *engine.procedures.row_ids(batch["procedures"], Counter())]

    ready, fields = ids(encoded), engine._fields(encoded)

    def kernel(codes: list[memoryview]) -> None:
        engine.compiled.kernel.group(rows, *codes, fields, None, *outputs)

    return {
        "kernel, int32 ids": lambda: kernel(ready),
        "kernel from Arrow strings": lambda: kernel(ids(plain)),
        "kernel from dictionaries": lambda: kernel(ids(encoded)),
    }


class _Recorder:
    """A kernel that remembers with what it was called, so that the same call can be repeated alone."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.call: tuple[Any, ...] = ()

    def group(self, *arguments: Any) -> Any:
        self.call = arguments
        return self.kernel.group(*arguments)


def _dip_works(engine: Any, plain: Any, encoded: Any) -> Works:
    """As for DRG; the whole way from codes includes the texts of matched and unmatched operations."""
    recorder = _Recorder(engine.compiled.kernel)
    replace(engine, compiled=replace(engine.compiled, kernel=recorder)).numbers(encoded)
    return {
        "kernel, int32 ids": lambda: recorder.kernel.group(*recorder.call),
        "kernel from Arrow strings": lambda: engine.numbers(plain),
        "kernel from dictionaries": lambda: engine.numbers(encoded),
    }


# --- the report ------------------------------------------------------------------------------


def against(source: Path, scheme: str, workers: int, floor: str, runs: int) -> str:
    """Grouping the file against one kind of floor: ratios and memory."""
    memory: dict[str, float] = {}
    rates: list[float] = []

    def one(kind: str) -> float:
        found = _child("--inner", kind, str(source), "--scheme", scheme, "--workers", str(workers))
        memory[kind] = max(memory.get(kind, 0), found["rss"])
        if kind == "pipeline":
            rates.append(found["rows"] / found["seconds"])
        return found["seconds"]

    ratios = paired(lambda: one("pipeline"), lambda: one(floor), runs)
    rate = f"{statistics.median(rates) / 1e6:.2f} million"
    return f"{shown(ratios)} | {rate} | {memory['pipeline']:.0f} MiB, {memory[floor]:.0f} MiB"


def report(source: Path, scheme: str, runs: int) -> None:
    rates = _child("--inner", "kernel", str(source), "--scheme", scheme)
    print(f"scheme {scheme}, {source.name}, {runs} pairs\n")
    print("| what, one thread | records a second |\n|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate / 1e6:.1f} million |")
    print(
        "\n| Parquet to grouped Parquet | floor | ratio: median (min to max) "
        "| records a second | peak memory, floor |"
    )
    print("|---|---|---|---|---|")
    for workers in (1, 2):
        for floor, name in (("floor", "pyarrow's defaults"), ("tuned", "our writer settings")):
            found = against(source, scheme, workers, floor, runs)
            print(f"| {workers} thread{'s' * (workers > 1)} | {name} | {found} |")
    polars = [sys.executable, "-c", "import polars"]
    tool = [sys.executable, "-P", "-m", "grouper"]
    print('\n| cold start | ratio to `python -c "import polars"` |\n|---|---|')
    for name, command in {
        "grouper --help": [*tool, "--help"],
        "grouper explain": [
            *tool,
            "explain",
            "--scheme",
            scheme,
            "--dx",
            "I63.900",
            "--sex",
            "1",
            "--age",
            "70",
        ],
    }.items():
        ratios = paired(lambda c=command: _seconds(c), lambda: _seconds(polars), runs)
        print(f"| {name} | {shown(ratios)} |")


def report_memory(source: Path, scheme: str) -> None:
    """Peak memory of grouping the file, with one thread and with two."""
    print("| threads | records | peak memory |\n|---|---|---|")
    for workers in (1, 2):
        found = _child("--inner", "pipeline", str(source), "--scheme", scheme, "--workers", str(workers))
        print(f"| {workers} | {found['rows']:,} | {found['rss']:.0f} MiB |")


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("source", type=Path, help="Parquet file of benchmarks/generate.py")
    parser.add_argument("--scheme", default="chs-drg-2.0")
    parser.add_argument("--runs", type=int, default=5, help="pairs; default 5")
    parser.add_argument("--memory", action="store_true", help="only the peak memory of grouping the file")
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--inner", choices=["kernel", "pipeline", "floor", "tuned"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inner == "kernel":
        print(json.dumps(measure_kernel(args.source, args.scheme)))
    elif args.inner == "pipeline":
        print(json.dumps(measure_pipeline(args.source, args.scheme, args.workers)))
    elif args.inner in ("floor", "tuned"):
        print(json.dumps(measure_floor(args.source, args.workers, args.inner == "tuned")))
    elif args.memory:
        report_memory(args.source, args.scheme)
    else:
        report(args.source, args.scheme, args.runs)


if __name__ == "__main__":
    main()
