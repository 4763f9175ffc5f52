"""A year settled month by month and cleared, each step a process of the command line: time and memory.

    python benchmarks/settle.py
    python benchmarks/settle.py --rows 60000000 --hospitals 500 --months 6     # one month of 5 million
    python benchmarks/settle.py --rows 100000000 --hospitals 900 --memory 6GB  # needs about 50 GB of disk

    python benchmarks/settle.py --rows 12000000 --months 1 --pairs 3           # one month against grouping

A synthetic city is made first. Printed are, for each month and for the clearing, the cases, seconds, CPU
seconds, both for a million rows of input, the peak memory of the process, and at last month 12 against
month 2 and the sum. Without papers, whose time goes with the number of hospitals; ``--reports`` writes
them.

``--pairs N`` settles the first month N times, with papers and without, beside grouping the same file by the
same scheme, in turn; each a fresh process. Printed are CPU seconds by stage (those of the fastest of N), and
the ratios of the fastest. On a machine that others use CPU seconds drift too; ratios less.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq


def run(name: str, rows: int, arguments: list[str]) -> float:
    """Run a command; print what it took. Returns CPU seconds."""
    return timed(name, rows, [sys.executable, "-P", "-m", "grouper", *arguments, "--lang", "en"])


def timed(name: str, rows: int, command: list[str]) -> float:
    """Run a process; print what it took. Returns CPU seconds."""
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
    return cpu


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the year")
    parser.add_argument("--months", default="1-12", help="as of `grouper synth`")
    parser.add_argument("--hospitals", type=int, default=120)
    parser.add_argument("--area", default="lishui")
    parser.add_argument("--memory", help="limit of the database (default: that of the program)")
    parser.add_argument("--pairs", type=int, default=0, help="the first month so often, against grouping")
    parser.add_argument("--stages", type=Path, help=argparse.SUPPRESS)  # the child that tells CPU by stage
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--reports", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder for city and lake; one that is there is used again")
    options = parser.parse_args()
    if options.stages:
        stages(json.loads(options.job), options.stages)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        city, lake = folder / "city", folder / "lake"
        if not city.is_dir():
            size = ["--rows", str(options.rows), "--hospitals", str(options.hospitals)]
            run("synth", options.rows, ["synth", "-o", str(city), *size, "--months", options.months])
        (pairs if options.pairs else settle)(city, lake, options)


def stages(job: dict[str, object], told: Path) -> None:
    """Settle a month in this process; CPU seconds by stage go to the file ``told``."""
    from grouper.lake.layout import Lake
    from grouper.settlement.month import settle_month
    from grouper.settlement.plan.job import Job, make_plan

    spent: dict[str, float] = {}

    def cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        begin = cpu()
        yield
        spent[name] = spent.get(name, 0.0) + cpu() - begin

    spent["start"] = cpu()
    lake, papers = Lake(Path(str(job.pop("lake")))), bool(job.pop("papers"))
    with stage("plan"):
        plan = make_plan(lake, Job(**job))  # type: ignore[arg-type]
    settle_month(lake, plan.job, plan, stage, reports=papers)
    told.write_text(json.dumps(spent))


def pairs(city: Path, lake: Path, options: argparse.Namespace) -> None:
    """The first month with papers and without, and grouping it: fresh processes, in turn."""
    from grouper.payment.policy.policy import find_policy
    from grouper.settlement.plan.job import month_days

    month = min(city.glob("????-??.parquet"))
    rows = pq.read_metadata(month).num_rows
    scheme = find_policy(options.area, month_days(month.stem)[1]).scheme
    spent: dict[str, list[float]] = {"group": [], "month": [], "papers": []}
    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        group = [
            "group",
            str(month),
            "-o",
            str(place / "grouped.parquet"),
            "--scheme",
            str(scheme),
            "--force",
        ]
        for number in range(options.pairs):
            spent["group"].append(run("group", rows, group if number else group[:-1]))
            for name in ("month", "papers"):
                job = {
                    "area": options.area, "month": month.stem, "inputs": [str(month)],
                    "budget": str(city / "budget.toml"), "hospitals": str(city / "hospitals.csv"),
                    "lake": str(place / f"{name}-{number}"), "papers": name == "papers",
                    "memory": options.memory or "",
                }  # fmt: skip
                told = place / "stages.json"
                own = ["--stages", str(told), "--job", json.dumps(job)]
                spent[name].append(timed(name, rows, [sys.executable, "-P", __file__, *own]))
                if spent[name][-1] == min(spent[name]):
                    best[name] = json.loads(told.read_text())
    for name, parts in best.items():
        print(f"{name}: " + "  ".join(f"{stage} {cpu:.2f}" for stage, cpu in parts.items()))
    least = {name: min(found) for name, found in spent.items()}
    print(f"against grouping: month {least['month'] / least['group']:.2f}, "
          f"with papers {least['papers'] / least['group']:.2f}; "
          f"papers against the rest {least['papers'] / least['month'] - 1:.2f}")  # fmt: skip


def settle(city: Path, lake: Path, options: argparse.Namespace) -> None:
    """The months that the city has, and the clearing where it has all."""
    months = sorted(path for path in city.glob("????-??.parquet"))
    limits = ["--memory", options.memory] if options.memory else []
    limits += [] if options.reports else ["--no-report"]
    own = ["--area", options.area, "--budget", str(city / "budget.toml"), "-o", str(lake), *limits]
    rows, spent, begin = 0, list[float](), time.perf_counter()
    for month in months:
        here = pq.read_metadata(month).num_rows
        rows += here
        given = ["--input", str(month), "--hospitals", str(city / "hospitals.csv")]
        spent.append(run(month.stem, here, ["settle", "--month", month.stem, *given, *own]))
    if len(months) == 12:
        scores = ["--corrections", str(city / "assessment.csv")]
        spent.append(run("clear", rows, ["clear", "--year", months[0].stem[:4], *scores, *own]))
        print(f"month 12 against month 2: {spent[11] / spent[1]:.2f}")
    print(f"all: {time.perf_counter() - begin:.1f} s, cpu {sum(spent):.1f} s")


if __name__ == "__main__":
    main()
