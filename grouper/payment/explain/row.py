"""The columns of one case for an explanation: typed, completed with what pricing assumes, or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import DataError, UsageError
from grouper.base.exact import decimal_of
from grouper.base.paths import local_path
from grouper.base.provenance import read as read_provenance
from grouper.payment.formula.expression import Expr, Rounded
from grouper.payment.formula.window import Rank
from grouper.payment.price.inputs import GROUPED, INPUTS, Input, names_in
from grouper.payment.price.steps import Step

if TYPE_CHECKING:
    from grouper.payment.policy.policy import Policy


_DIGITS = 18  # of a whole number


@dataclass(frozen=True)
class Gathered:
    """``assumed``: columns that the case lacks and pricing takes a default for. ``route``: of the file,
    where the case lacks the lists that choose it. ``alone``: the case comes without its run. ``lacking``:
    columns without a value, of a case that may be told in part."""

    row: dict[str, Any]
    assumed: list[str]
    route: str | None
    alone: bool
    lacking: tuple[str, ...] = ()


def gather(
    policy: Policy,
    steps: Sequence[Step],
    row: Mapping[str, Any],
    stored: Mapping[str, Any] | None,
    *,
    partial: bool = False,
) -> Gathered:
    """The input columns that the steps read. ``partial``: those that are missing are None.

    Raises UsageError that names every column that is missing.
    """
    reading = _Reading(row, {step.name for step in steps})
    for step in steps:
        reading.add(step)
    route = None
    if reading.lists and stored is not None and stored.get("route") is not None:
        route = str(stored["route"])
    else:
        reading.lacking += reading.lists
    if partial:
        own = {*reading.assumed, *GROUPED, "group"}  # grouping gives what there is
        empty = [n for n, v in reading.row.items() if v is None and n not in own]
        lacking = tuple(dict.fromkeys((*reading.lacking, *(n for n in empty if INPUTS[n].default is None))))
        known = {**dict(row), **dict.fromkeys(lacking), **reading.row}
        return Gathered(known, reading.assumed, route, stored is None, lacking)
    if reading.lacking:
        names = "、".join(reading.lacking)
        raise UsageError(
            zh=f"病例缺少 {names}，政策 {policy.id} 需要；请在记录中给出，或用 --set 列名=值",
            en=f"the case lacks {', '.join(reading.lacking)}, which policy {policy.id} reads; give them in "
            "the record, or with --set NAME=VALUE",
        )
    ranks = {
        step.name: stored[step.name]
        for step in steps
        if stored and step.name.endswith("_rank") and step.name in stored
    }
    return Gathered({**dict(row), **reading.row, **ranks}, reading.assumed, route, stored is None)


@dataclass
class _Reading:
    given: Mapping[str, Any]
    made: set[str]
    row: dict[str, Any] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)

    def add(self, step: Step) -> None:
        for name in sorted(_read(step.expr) - self.made - set(self.row)):
            spec = INPUTS[name]
            if name in self.given:
                self.row[name] = typed(name, self.given[name])
            elif name == "principal" and self.given.get("diagnoses"):
                self.row[name] = typed("diagnoses", self.given["diagnoses"])[0]
            elif spec.kind == "list" or name == "principal":
                self.lists += [name] if name not in self.lists else []
            elif spec.kind == "window" or spec.default is not None:
                self.row[name] = _default(spec)
                self.assumed.append(name)
            elif name not in self.lacking:
                self.lacking.append(name)


def _read(expr: Expr) -> set[str]:
    """The columns that the value of one case rests on: a rank comes with the case, not from its hospital."""
    inner = expr.inner if isinstance(expr, Rounded) else expr
    return names_in(inner) - set(inner.within) if isinstance(inner, Rank) else names_in(expr)


def _default(spec: Input) -> Any:
    """What pricing takes for a column that no input has: its SQL default as a value."""
    text = (spec.default or "NULL").split("::")[0]
    if text == "NULL":
        return None
    digits = 2 if spec.kind == "money" else spec.digits
    return Decimal(text).scaleb(-digits) if spec.kind in ("money", "decimal") else text.strip("'")


def typed(name: str, value: Any) -> Any:
    """A value as its column has it: Decimal for amounts, int, text, list of texts.

    Raises DataError naming the column.
    """
    if value is None or value == "":
        return None
    kind = INPUTS[name].kind
    try:
        if kind in ("money", "decimal"):
            number = decimal_of(str(value))
            if number is None:
                raise ValueError(value)
            return number
        if kind in ("int", "window"):
            if len(str(value)) > _DIGITS:
                raise ValueError(value)
            return int(value)
        if kind == "flag":
            return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
        if kind == "list":
            return value.split("|") if isinstance(value, str) else list(value)
        if kind == "date":
            return date.fromisoformat(str(value)[:10])
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(zh=f"{name} 不能是 {value!r}", en=f"{name} cannot be {value!r}") from error
    return str(value)


def parse_settings(texts: Sequence[str], flag: str = "--set") -> dict[str, str]:
    """``NAME=VALUE`` texts of a command line.

    Raises UsageError that names the flag.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise UsageError(zh=f"{flag} {text}：应为 名称=值", en=f"{flag} {text}: should be NAME=VALUE")
        found[name.strip()] = value.strip()
    return found


def is_priced(path: str) -> bool:
    """Whether a file is a Parquet file that pricing wrote."""
    if Path(path).suffix.lower() != ".parquet" or not Path(path).is_file():
        return False
    import pyarrow.parquet as pq

    return {"pay_date", "pay_status", "pay_reason"} <= set(pq.read_schema(local_path(path)).names)


def priced_row(path: str, record_id: str) -> tuple[dict[str, Any], str | None]:
    """One row of a priced file, and the digest of the policy that priced it.

    Raises DataError when no row, or more than one, has this id.
    """
    import pyarrow.parquet as pq

    rows = pq.read_table(
        local_path(path), filters=[("record_id", "=", record_id)], partitioning=None
    ).to_pylist()
    if len(rows) != 1:
        raise DataError(
            zh=f"{path} 中记录号为 {record_id} 的记录有 {len(rows)} 条，应为 1 条",
            en=f"{path} holds {len(rows)} records with the id {record_id}; one is needed",
        )
    told = read_provenance(pq.read_metadata(local_path(path)).metadata, path)
    return rows[0], told.get("policy", {}).get("sha256")
