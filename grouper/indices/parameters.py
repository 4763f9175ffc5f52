"""What the indices ask: windows, factors, bounds and lists, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from grouper.base.digests import sha256_of
from grouper.base.errors import TableError, UsageError
from grouper.base.exact import fits
from grouper.base.formats import KEY, format_of
from grouper.base.paths import tables_dir
from grouper.base.toml_in import parse_toml, read_bytes

# Index -> its parameters with the type of each.
INDICES: dict[str, dict[str, str]] = {
    "record_quality": {},
    "readmission": {
        "windows": "days",
        "same_hospital": "bool",
        "exempt_packets": "codes",
        "exempt_diagnoses": "codes",
    },
    "low_standard": {"diagnoses": "codes"},
    "overlong": {"factor": "positive", "min_cases": "count"},
    "low_risk_death": {"mortality_below": "positive", "min_cases": "count"},
}
NAMES: dict[str, tuple[str, str]] = {
    "record_quality": ("病案质量", "record quality"),
    "readmission": ("二次入院", "readmission"),
    "low_standard": ("低标入院", "low-standard admission"),
    "overlong": ("超长住院", "overlong stays"),
    "low_risk_death": ("低风险死亡", "deaths in packets of low risk"),
}
_COMMON = {"title": "text", "source": "text", "verified": "bool"}


@dataclass(frozen=True)
class Index:
    """One index: its name, where its formula comes from, and its parameters as the file gives them."""

    name: str
    title: str
    source: str
    verified: bool
    values: Mapping[str, Any]

    def fraction(self, key: str) -> Fraction:
        """A number as a fraction of whole numbers, so that SQL compares exactly."""
        return Fraction(self.values[key])


@dataclass(frozen=True)
class Parameters:
    """A file of parameters; ``indices`` in the order of INDICES, only those that the file has."""

    id: str
    name: str
    indices: tuple[Index, ...]
    digest: str

    @property
    def unverified(self) -> list[str]:
        """Names of the indices whose formula or parameters nobody has checked against a document."""
        return [index.name for index in self.indices if not index.verified]


def load(path: str | Path | None = None) -> Parameters:
    """The parameters of a TOML file, or the shipped defaults.

    Raises UsageError for a file that is not there, TableError naming the place of what is wrong.
    """
    where = Path(path) if path else tables_dir() / "dip" / "auxiliary" / "indices.toml"
    content = read_bytes(where, flag="--parameters", kind=TableError if where.is_file() else UsageError)
    data = parse_toml(content, where, flag="--parameters", kind=TableError, exact=True)
    format_of(data, "indices", str(where))
    for key in data:
        if key not in {"id", "name", KEY, *INDICES}:
            _wrong(where, key, data[key])
    for key in ("id", "name"):
        _check(where, key, data.get(key), "text")
    indices = [_index(where, name, data[name]) for name in INDICES if name in data]
    return Parameters(data["id"], data["name"], tuple(indices), sha256_of(content))


def _index(where: Path, name: str, section: Any) -> Index:
    if not isinstance(section, Mapping):
        _wrong(where, name, section)
    types = {**_COMMON, **INDICES[name]}
    for key, value in section.items():
        if key not in types:
            _wrong(where, f"{name}.{key}", value)
    for key, type_ in types.items():
        _check(where, f"{name}.{key}", section.get(key), type_)
    values = {key: section[key] for key in INDICES[name]}
    return Index(name, section["title"], section["source"], section["verified"], values)


def _check(where: Path, place: str, value: Any, type_: str) -> None:
    whole = type(value) is int
    sound = {
        "text": isinstance(value, str) and value != "",
        "bool": isinstance(value, bool),
        "count": whole and value >= 1,
        "positive": (whole or isinstance(value, Decimal)) and 0 < value < 1000 and fits(Decimal(value), 6),
        "codes": isinstance(value, list) and all(isinstance(code, str) and code for code in value),
        "days": isinstance(value, list)
        and value != []
        and all(type(day) is int and 0 <= day <= 366 for day in value)
        and sorted(set(value)) == value,
    }
    if not sound[type_]:
        _wrong(where, place, value)


def _wrong(where: Path, place: str, value: Any) -> NoReturn:
    raise TableError(
        zh=f"{where}：{place} 的取值 {value!r} 不可用（见 docs/indices.md）",
        en=f"{where}: {place}: {value!r} is not valid (see docs/indices.md)",
    )
