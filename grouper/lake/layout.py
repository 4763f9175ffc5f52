"""Where everything stands in a lake.

.lock  .staging/<run>/  ledger.duckdb
<table>/area=A/year=YYYY/month=MM/run=RRRRRR/part-00000.parquet   (month=00: of a whole year)
reports/<run>/...
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from grouper.base.errors import UsageError

TABLES = ("adjustments", "cases", "hospitals", "pools", "rejected", "records")
LEDGER = "ledger.duckdb"
LOCK = ".lock"
STAGING = ".staging"
REPORTS = "reports"
PART = "part-00000.parquet"
_RUN = re.compile(r"\d{6}")
_AREA = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Lake:
    """The folder of a lake."""

    root: Path

    @property
    def ledger(self) -> Path:
        return self.root / LEDGER

    @property
    def staging(self) -> Path:
        return self.root / STAGING

    @property
    def reports(self) -> Path:
        return self.root / REPORTS

    def must_exist(self) -> Lake:
        """Itself, or UsageError where no run was ever committed."""
        if not self.ledger.is_file():
            raise UsageError(
                zh=f"{self.root} 不是结算湖，或还没有完成的运行；请先用 grouper settle -o {self.root}",
                en=f"{self.root} is no lake, or no run of it was ever finished; "
                f"begin with grouper settle -o {self.root}",
            )
        return self


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
