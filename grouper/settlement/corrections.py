"""Correction files: decisions about settlements that are known, and lists that replace or add some.

A CSV with a column ``kind`` holds decisions, one a row; any other file is read as settlement lists (late ones
and corrected ones). docs/settlement.md gives the columns.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from grouper.base.errors import DataError
from grouper.base.money import Fen
from grouper.payment.price.inputs import DECIDED, INPUTS
from grouper.records.encoding import detect_encoding

KINDS = ("withdrawal", "special_review", "decision", "quality", "audit_deduction")
_OF_CASES = ("withdrawal", "special_review", "decision")
_COLUMNS = {
    "kind", "record_id", "settlement_id", "hospital_code", "pool", "amount", "score", "reason", "clause",
    *DECIDED,
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One row of a decisions file. ``id``: a record_id or a settlement_id; ``values``: DECIDED
    columns given."""

    kind: str
    id: str
    hospital: str
    pool: str
    amount_fen: Fen
    score: str
    reason: str
    clause: str
    values: Mapping[str, str]
    file: str
    row: int


@dataclass
class Corrections:
    """All correction files of a run; ``lists`` are those with settlement lists."""

    items: list[Item] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Item]:
        return [item for item in self.items if item.kind in kinds]


def read_corrections(paths: Sequence[str], pools: Sequence[str]) -> Corrections:
    """Read the files of ``--corrections``.

    Raises DataError that names file, row and column.
    """
    found = Corrections()
    for path in paths:
        rows = _decisions(path)
        if rows is None:
            found.lists.append(path)
        else:
            found.items += [_item(row, path, number, pools) for number, row in enumerate(rows, 2)]
    _once(found.of(*_OF_CASES))
    return found


def read_decisions(path: str) -> list[Item]:
    """The file of ``--decisions``: record_id with DECIDED columns."""
    header, rows = _table(path, "--decisions")
    if "record_id" not in header:
        raise DataError(
            zh=f"{path}（--decisions）缺少列 record_id", en=f"{path} (--decisions) lacks record_id"
        )
    items = [
        Item(
            "decision",
            row["record_id"],
            "",
            "",
            0,
            "",
            "",
            "",
            _decided(row, path, number),
            Path(path).name,
            number,
        )
        for number, row in enumerate(rows, 2)
    ]
    _once(items)
    return items


def _decisions(path: str) -> list[dict[str, str]] | None:
    """The rows of a decisions file; None when it is a file of settlement lists."""
    if Path(path).suffix.lower() not in (".csv", ".txt"):
        return None
    header, rows = _table(path, "--corrections", only_with="kind")
    if "kind" not in header:
        return None
    for name in header:
        if name not in _COLUMNS:
            raise _error(path, 1, name, "未知的列", "unknown column")
    return rows


def _table(path: str, flag: str, only_with: str = "") -> tuple[list[str], list[dict[str, str]]]:
    """A small CSV as texts; without rows when its header lacks ``only_with``."""
    try:
        encoding = detect_encoding(Path(path), path)
        with Path(path).open(encoding=encoding, newline="") as file:
            reader = csv.DictReader(file)
            header = [(name or "").strip().lstrip("\ufeff") for name in reader.fieldnames or ()]
            if only_with and only_with not in header:
                return header, []
            reader.fieldnames = header
            return header, [{k: (v or "").strip() for k, v in row.items() if k} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            zh=f"无法读取 {path}（{flag}）：{error}", en=f"cannot read {path} ({flag}): {error}"
        ) from error


def _decided(row: Mapping[str, str], path: str, number: int) -> dict[str, str]:
    """The decisions of a row; amounts and numbers must be such, to their decimals."""
    found = {name: row[name] for name in DECIDED if row.get(name)}
    for name, value in found.items():
        spec = INPUTS[name]
        digits = {"money": 2, "decimal": spec.digits}.get(spec.kind)
        if digits is not None and not _fits(value, digits):
            raise _error(
                path,
                number,
                name,
                f"{value!r} 应为最多 {digits} 位小数的数",
                f"{value!r} should be a number of at most {digits} decimals",
            )
    return found


def _fits(text: str, digits: int) -> bool:
    return _is_number(text) and Decimal(text) == round(Decimal(text), digits)


def _item(row: Mapping[str, str], path: str, number: int, pools: Sequence[str]) -> Item:
    kind = row.get("kind", "")
    if kind not in KINDS:
        raise _error(
            path,
            number,
            "kind",
            f"{kind!r} 应为 {'、'.join(KINDS)} 之一",
            f"{kind!r} is not one of {', '.join(KINDS)}",
        )
    ident = row.get("settlement_id") or row.get("record_id") or ""
    pool = row.get("pool", "")
    if kind in _OF_CASES and not ident:
        raise _error(path, number, "settlement_id", "缺失", "is missing")
    if kind not in _OF_CASES and not row.get("hospital_code"):
        raise _error(path, number, "hospital_code", "缺失", "is missing")
    if kind in ("special_review", "decision") and not _decided(row, path, number):
        raise _error(
            path,
            number,
            kind,
            f"没有决定；可用列 {'、'.join(DECIDED)}",
            f"decides nothing; columns are {', '.join(DECIDED)}",
        )
    if kind == "audit_deduction" and pool not in pools:
        raise _error(path, number, "pool", f"{pool!r} 不是预算中的池", f"{pool!r} is no pool of the budget")
    amount_fen = _fen(row, path, number) if kind == "audit_deduction" else 0
    if kind == "quality" and not _is_number(row.get("score", "")):
        raise _error(path, number, "score", "应为数", "should be a number")
    return Item(
        kind, ident, row.get("hospital_code", ""), pool or "*", amount_fen, row.get("score", ""),
        row.get("reason", ""), row.get("clause", ""), _decided(row, path, number), Path(path).name, number,
    )  # fmt: skip


def _fen(row: Mapping[str, str], path: str, number: int) -> Fen:
    text = row.get("amount", "")
    fen = Decimal(text) * 100 if _is_number(text) else Decimal(-1)
    if fen < 0 or fen != fen.to_integral_value():
        raise _error(
            path,
            number,
            "amount",
            f"{text!r} 应为不小于 0、到分的金额（元）",
            f"{text!r} should be yuan of at least 0, to the fen",
        )
    return int(fen)


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _once(items: Sequence[Item]) -> None:
    """A case is decided once per kind of decision: withdrawn, or judged."""
    seen: dict[str, Item] = {}
    for item in items:
        if item.id in seen:
            raise _error(item.file, item.row, "settlement_id", f"{item.id} 重复", f"{item.id} is there twice")
        seen[item.id] = item


def _error(path: str, row: int, column: str, zh: str, en: str) -> DataError:
    return DataError(
        zh=f"{path}（--corrections）第 {row} 行，{column}：{zh}",
        en=f"{path} (--corrections), row {row}, {column}: {en}",
    )
