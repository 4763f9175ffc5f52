"""The options of a city, checked, and as a small TOML file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.toml_in import read_toml
from grouper.base.toml_out import toml_text

VERSION = 2  # of the rows: raise it with every change that changes one
COUNTIES = 8  # of a city
MOST_REFUNDS, MOST_READMISSIONS, MOST_TRANSFERS, MOST_DIRTY = 0.2, 0.1, 0.03, 0.2


@dataclass(frozen=True)
class City:
    """What the rows of a year are made from. Shares are of all rows, 0 to 1.

    ``rows`` counts every row of the year, refunds and duplicates too. ``region`` is the
    invented code of the city, four digits; its counties are ``region`` + 01, 02, …
    ``cost`` is the cost in yuan of a case of relative weight 1 in a hospital of level 2.
    Raises UsageError when an option is out of range.
    """

    rows: int = 1_000_000
    year: int = 2025
    seed: int = 1
    region: str = "3399"
    hospitals: int = 120
    refunds: float = 0.05
    resettled: float = 0.3  # of the refunds
    readmissions: float = 0.04
    transfers: float = 0.01
    outside: float = 0.03  # of the city's people, treated elsewhere
    visitors: float = 0.015  # insured elsewhere, treated here
    dirty: float = 0.01
    cost: int = 8_000

    def __post_init__(self) -> None:
        checks = {
            "rows": 0 <= self.rows < 2**33,
            "year": 1990 <= self.year <= 2099,
            "seed": 0 <= self.seed < 2**63,
            "region": len(self.region) == 4 and self.region.isascii() and self.region.isdigit(),
            "hospitals": 30 <= self.hospitals <= 999,
            "refunds": 0 <= self.refunds <= MOST_REFUNDS,
            "resettled": 0 <= self.resettled <= 1,
            "readmissions": 0 <= self.readmissions <= MOST_READMISSIONS,
            "transfers": 0 <= self.transfers <= MOST_TRANSFERS,
            "outside": 0 <= self.outside <= 0.3,
            "visitors": 0 <= self.visitors <= 0.3,
            "dirty": 0 <= self.dirty <= MOST_DIRTY,
            "cost": 1_000 <= self.cost <= 100_000,
        }
        for name, good in checks.items():
            if not good:
                value = getattr(self, name)
                raise UsageError(
                    zh=f"--{name} 的值 {value} 超出范围（城市参数 {name}）",
                    en=f"--{name}: {value} is out of range (option {name} of the city)",
                )

    @property
    def counties(self) -> list[str]:
        """The codes of the counties; the first is the town."""
        return [f"{self.region}{number:02}" for number in range(1, COUNTIES + 1)]

    @property
    def elsewhere(self) -> str:
        """The code of the region that stands for everywhere else."""
        return f"{(int(self.region) + 1) % 10_000:04}01"

    @property
    def first_day(self) -> int:
        """1 January as days since 1970."""
        return _day(self.year, 1)

    @property
    def days(self) -> int:
        """Days of the year."""
        return _day(self.year + 1, 1) - self.first_day

    def month_starts(self) -> list[int]:
        """The first days of the 12 months and of the next year, as days since 1970."""
        return [*(_day(self.year, month) for month in range(1, 13)), _day(self.year + 1, 1)]

    def to_toml(self) -> str:
        """The options as TOML; :meth:`read` reads them back."""
        return toml_text(self.options())

    def options(self) -> dict[str, Any]:
        """All options by name, and the version of the generator."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def read(cls, path: str | Path) -> City:
        """A city from TOML: options that are not named keep their defaults.

        Raises UsageError for unknown options, values of the wrong kind, or another version.
        """
        given = read_toml(path)
        version = given.pop("version", VERSION)
        if version != VERSION:
            raise UsageError(
                zh=f"{path} 属于第 {version} 版生成器，本程序为第 {VERSION} 版，生成的记录会不同；"
                "要用本版重新生成，请删去 version 一行",
                en=f"{path} is of generator version {version}, this is version {VERSION} and makes other "
                "rows; remove the line `version` to make them with this one",
            )
        given = {name: value for name, value in given.items() if not isinstance(value, dict)}
        kinds = {field.name: type(field.default) for field in fields(cls)}
        for name, value in given.items():
            kind = kinds.get(name)
            if kind is None or not isinstance(value, (int, float) if kind is float else kind):
                raise UsageError(
                    zh=f"{path}：没有参数 {name}，或其值 {value!r} 类型不对；可用：{'、'.join(kinds)}",
                    en=f"{path}: there is no option {name}, or {value!r} is of the wrong kind; "
                    f"there are {', '.join(kinds)}",
                )
        return cls(**given)


def _day(year: int, month: int) -> int:
    return (date(year, month, 1) - date(1970, 1, 1)).days
