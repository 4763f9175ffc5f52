"""Correction files: decisions about settlements that are known, and lists that replace or add some.

A CSV with a column ``kind`` holds decisions, one a row; any other file is read as settlement lists (late ones
and corrected ones). docs/settlement.md gives the columns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from grouper.base.errors import DataError
from grouper.base.exact import decimal_of
from grouper.base.money import Fen, fen_of
from grouper.base.tables_in import BOOKS, Row, Table, near, read_header, read_sheets, read_table
from grouper.payment.policy import words
from grouper.payment.price import decided
from grouper.payment.price.decisions import decisions
from grouper.payment.price.inputs import DECIDED
from grouper.records.headings import headings

if TYPE_CHECKING:
    from grouper.payment.policy.policy import Policy

KINDS = {  # what a row of a decisions file does, and its words
    "withdrawal": ("撤销", "撤销结算"),
    "special_review": ("特例单议",),
    "decision": ("决定", "评审决定"),
    "quality": ("考核得分", "质量考核"),
    "audit_deduction": ("稽核扣款", "稽核扣款"),
}
_OF_CASES = ("withdrawal", "special_review", "decision")
_COLUMNS = {
    "kind", "record_id", "settlement_id", "hospital_code", "pool", "amount", "score", "reason", "clause",
    "document", *DECIDED,
}  # fmt: skip
# Headings of the kind that a settlement list could have, too; columns that none has.
_LOOSE = {"种类", "类型"}
_ONLY_HERE = {"amount", "score", "reason", "clause", "document", *DECIDED}


@dataclass(frozen=True)
class Item:
    """One row of a decisions file. ``id``: a record_id or a settlement_id; ``values``: DECIDED
    columns given; ``document``: the number of what orders it (文号)."""

    kind: str
    id: str
    hospital: str
    pool: str
    amount_fen: Fen
    score: str
    reason: str
    clause: str
    document: str
    values: Mapping[str, str]
    file: str
    row: int
    place: Row


@dataclass
class Corrections:
    """All correction files of a run; ``lists`` are those with settlement lists."""

    items: list[Item] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Item]:
        return [item for item in self.items if item.kind in kinds]


def read_corrections(
    paths: Sequence[str], pools: Sequence[str], *, numbered: bool = True
) -> Corrections:  # fmt: skip
    """Read the files of ``--corrections``. ``numbered``: deductions need the number of their document, and
    have it once for a hospital and pool.

    Raises DataError that names file, row and column.
    """
    found = Corrections()
    for path in paths:
        rows = _decisions(path)
        if rows is None:
            found.lists.append(path)
        else:
            found.items += [_item(row, path, pools) for row in rows]
    _once(found.of(*_OF_CASES))
    if numbered:
        _numbered(found.of("audit_deduction"))
    return found


def read_decisions(path: str) -> list[Item]:
    """The file of ``--decisions``: record_id (or settlement_id) with DECIDED columns."""
    return [
        Item(
            "decision", each.record_id, "", "", 0, "", each.row.text("reason"),
            each.row.text("clause") or each.row.text("document"), "", each.values,
            Path(path).name, each.row.row, each.row,
        )
        for each in decisions(path)[0]
    ]  # fmt: skip


def _decisions(path: str) -> Table | None:
    """The rows of a decisions file; None when it is a file of settlement lists."""
    kind = Path(path).suffix.lower()
    if kind in BOOKS:
        heads = [rows[0] for rows in read_sheets(path, DataError).values() if rows]
    elif kind in (".csv", ".txt"):
        heads = [list(read_header(path, "--corrections", DataError))]
    else:
        return None
    if not any(_is_small(path, head) for head in heads):
        return None
    return read_table(
        path, needed=("kind",), known=sorted(_COLUMNS), flag="--corrections", kind=DataError,
        headings=headings(),
    )  # fmt: skip


def _is_small(path: str, head: Sequence[str]) -> bool:
    """Whether a header is that of a table of decisions, not of settlement lists.

    Raises DataError for one whose columns are of that table, but for ``kind``.
    """
    columns = {headings().get(name, name) for name in head if name}
    most = len(columns & _COLUMNS) * 2 > len(columns)
    if "kind" in columns:
        return most or "kind" in head or not _LOOSE.intersection(head)
    if most and columns & _ONLY_HERE:
        words = "、".join(f"{kind} {told[0]}" for kind, told in KINDS.items())
        raise DataError(
            zh=f"{path} (--corrections)：没有列 kind（更正种类），其他列却是更正表的；请补上，取值 {words}",
            en=f"{path} (--corrections) lacks the column kind (更正种类), though its columns are those of "
            f"corrections; add it, with one of {words}",
        )
    return False


def check_decided(policy: Policy, items: Sequence[Item]) -> None:
    """Every decision is one that the policy can carry out. Raises DataError that names file and row."""
    for item in items:
        wrong = decided.unfit(policy, item.values)
        if wrong is not None:
            raise item.place.error(*wrong)


def _item(place: Row, path: str, pools: Sequence[str]) -> Item:
    row = place.cells
    given = row.get("kind", "")
    kind = next((kind for kind, words in KINDS.items() if given == kind or given in words), "")
    if not kind:
        told = "、".join(f"{kind} {words[0]}" for kind, words in KINDS.items())
        raise place.error("kind", f"{given!r} 应为 {told} 之一", f"{given!r} is not one of {told}")
    ident = row.get("settlement_id") or row.get("record_id") or ""
    pool = words.pool_named(row.get("pool", ""), pools)
    if kind in _OF_CASES and not ident:
        raise place.error("settlement_id", "缺失", "is missing")
    if kind not in _OF_CASES and not row.get("hospital_code"):
        raise place.error("hospital_code", "缺失", "is missing")
    values = decided.read_decisions(place)
    if kind in ("special_review", "decision") and not values:
        raise place.error(
            "kind",
            f"没有决定；可用列 {'、'.join(DECIDED)}",
            f"decides nothing; columns are {', '.join(DECIDED)}",
        )
    if kind == "audit_deduction" and pool not in pools:
        known = words.pools_told(pools)
        raise place.error(
            "pool",
            f"{pool!r} 不是预算中的池；可用：{known}",
            f"{pool!r} is no pool of the budget; known are {known}",
        )
    amount_fen = _fen(place) if kind == "audit_deduction" else 0
    if kind == "quality" and decimal_of(row.get("score", "")) is None:
        raise place.error("score", "应为数", "should be a number")
    return Item(
        kind, ident, row.get("hospital_code", ""), pool or "*", amount_fen, row.get("score", ""),
        row.get("reason", ""), row.get("clause", ""), row.get("document", ""), values,
        Path(path).name, place.row, place,
    )  # fmt: skip


def _numbered(items: Sequence[Item]) -> None:
    seen: dict[tuple[str, str, str], Item] = {}
    for item in items:
        if not item.document:
            raise item.place.error(
                "document", "缺文号：扣款须写明所依据文书的编号",
                "is missing: a deduction has the number of the document that orders it",
            )  # fmt: skip
        key = item.document, item.hospital, item.pool
        if key in seen:
            raise item.place.error(
                "document", f"文号 {item.document} 对 {item.hospital} 的扣款已在 {seen[key].file} "
                f"第 {seen[key].row} 行",
                f"document {item.document} deducts from {item.hospital} already in {seen[key].file}, row "
                f"{seen[key].row}",
            )  # fmt: skip
        seen[key] = item


def check_hospitals(items: Sequence[Item], known: Collection[str], zh: str, en: str) -> None:
    """Scores and deductions are of hospitals that are known; ``zh``, ``en``: where they should stand.

    Raises DataError that names file, row and the nearest code.
    """
    for item in items:
        if item.hospital not in known:
            hint_zh, hint_en = near(item.hospital, known)
            raise item.place.error(
                "hospital_code",
                f"{item.hospital} 不在{zh}中{hint_zh}",
                f"{item.hospital} is not {en}{hint_en}",
            )


def _fen(place: Row) -> Fen:
    text = place.text("amount")
    amount = Decimal(decided.read_money(place, "amount"))
    if amount < 0:
        raise place.error(
            "amount",
            f"{text!r} 应为不小于 0、到分的金额（元）",
            f"{text!r} should be yuan of at least 0, to the fen",
        )
    return fen_of(amount)


def _once(items: Sequence[Item]) -> None:
    """A case is decided once per kind of decision: withdrawn, or judged."""
    seen: dict[str, Item] = {}
    for item in items:
        if item.id in seen:
            column = "settlement_id" if item.place.text("settlement_id") else "record_id"
            raise item.place.error(column, f"{item.id} 重复", f"{item.id} is there twice")
        seen[item.id] = item
