"""Where everything stands in a lake.

.lock  .staging/<run>/  ledger.duckdb
<table>/area=A/year=YYYY/month=MM/run=RRRRRR/part-00000.parquet   (month=00: of a whole year)
reports/<run>/...
chain/<run>.json      all that the ledger has of a run
README.md  views.sql  how to read it, for people and for DuckDB (grouper.lake.guide)
set-aside/NNNN/...    what ``grouper lake repair`` moved out of the way
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from grouper.base.errors import DataError, UsageError

TABLES = ("adjustments", "cases", "hospitals", "pools", "rejected", "records")
LEDGER = "ledger.duckdb"
LOCK = ".lock"
STAGING = ".staging"
REPORTS = "reports"
CHAIN = "chain"
SET_ASIDE = "set-aside"
DEMO = ".grouper-demo"  # in a folder that the demo made: every file in it with its SHA-256
PART = "part-00000.parquet"
_RUN = re.compile(r"\d{6}")
_AREA = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Lake:
    """The folder of a lake, given as a path or as a text."""

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))

    @property
    def ledger(self) -> Path:
        return self.root / LEDGER

    @property
    def staging(self) -> Path:
        return self.root / STAGING

    @property
    def reports(self) -> Path:
        return self.root / REPORTS

    @property
    def chain(self) -> Path:
        return self.root / CHAIN

    @property
    def private(self) -> bool:
        """Whether nobody but its owner may look into it."""
        return self.root.stat().st_mode & 0o077 == 0

    def traces(self) -> set[str]:
        """The runs of which there is a record or data, whatever the ledger says."""
        found = {path.stem for path in self.chain.glob("*.json")}
        found |= {path.name[4:] for path in self.root.glob("*/area=*/year=*/month=*/run=*")}
        return {run for run in found if is_run(run)}

    def must_exist(self) -> Lake:
        """Itself, or UsageError where no run was ever committed; DataError where its ledger is gone."""
        if not self.ledger.is_file():
            if self.traces():
                raise ledger_gone(self)
            raise UsageError(
                zh=f"{self.root} 不是结算湖，或还没有完成的运行；请先用 grouper settle -o {self.root}",
                en=f"{self.root} is no lake, or no run of it was ever finished; "
                f"begin with grouper settle -o {self.root}",
            )
        return self


def ledger_gone(lake: Lake) -> DataError:
    """The error for runs without their ledger."""
    return DataError(
        zh=f"{lake.root} 有已完成的运行，但缺账本 {LEDGER}；没有改动任何文件。请从备份恢复该文件，"
        f"或运行 grouper lake repair {lake.root}，由各运行的记录重建账本",
        en=f"{lake.root} has finished runs, but its ledger {LEDGER} is missing; no file was touched. Restore "
        f"it from a backup, or run grouper lake repair {lake.root} to make it again from the records of the "
        "runs",
    )


def run_id(number: int) -> str:
    """Six digits."""
    return f"{number:06d}"


def is_run(name: str) -> bool:
    """A folder name that a run id gave."""
    return _RUN.fullmatch(name) is not None


def check_area(area: str) -> str:
    """An area as it may stand in a path. Raises UsageError."""
    if not _AREA.fullmatch(area):
        raise UsageError(
            zh=f"地区 {area!r} 不能用作目录名；只可用字母、数字、-、_ 和 .",
            en=f"the area {area!r} cannot name a folder; letters, digits, -, _ and . only",
        )
    return area


def part(table: str, area: str, period: str, run: str) -> Path:
    """The data file of a table of a run, relative to the lake. ``period``: YYYY-MM or YYYY."""
    year, _, month = period.partition("-")
    folder = Path(table) / f"area={area}" / f"year={year}" / f"month={month or '00'}" / f"run={run}"
    return folder / PART
