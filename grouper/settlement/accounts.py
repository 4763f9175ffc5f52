"""Accounts of hospitals, and what was really paid to them: small tables with Chinese or English headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from grouper.base.errors import DataError
from grouper.base.money import Fen, fen_of
from grouper.base.tables_in import Row, Table, near, read_table
from grouper.payment.policy.words import pool_pair
from grouper.payment.price.decided import read_money
from grouper.settlement.funds import FUNDS, POOL

HOSPITAL = ("hospital_code", "医院编码", "医疗机构编码", "定点医药机构编号", "定点医疗机构编码")
ACCOUNT: dict[str, tuple[str, ...]] = {
    "account_name": ("户名", "账户名称", "开户名称", "收款人"),
    "bank": ("开户银行", "开户行", "收款银行"),
    "account_number": ("账号", "银行账号", "收款账号"),
}
PAYMENT: dict[str, tuple[str, ...]] = {
    "date": ("日期", "拨付日期", "付款日期"),
    "voucher": ("凭证号", "拨付凭证号", "银行回单号"),
    "amount": ("金额", "拨付金额", "实付金额", "金额（元）"),
    "pool": ("基金池", "险种"),
    "fund": ("基金", "基金种类"),
}
_CODES = (*HOSPITAL, "account_number", *ACCOUNT["account_number"], "voucher", *PAYMENT["voucher"])


@dataclass(frozen=True)
class Account:
    """Where a hospital's money goes; blank where the table does not say."""

    name: str = ""
    bank: str = ""
    number: str = ""


@dataclass(frozen=True)
class Payment:
    """One payment that was made."""

    fund: str
    hospital: str
    pool: str
    date: str
    voucher: str
    fen: Fen
    place: Row


def read_accounts(path: str | Path) -> dict[str, Account]:
    """Accounts by hospital; other columns are left alone. Raises DataError as small tables do."""
    table = read_table(path, flag="--hospitals", kind=DataError, codes=_CODES)
    heads = _heads(table, {"hospital_code": HOSPITAL[1:], **ACCOUNT})
    code = _needed(table, heads, "hospital_code", HOSPITAL)
    return {
        row.text(code): Account(*(row.text(heads[name]) if name in heads else "" for name in ACCOUNT))
        for row in table
    }


def read_payments(path: str | Path, pools: Sequence[str]) -> list[Payment]:
    """The rows of a file of payments. ``pools``: those of the run; where there is one, it may be left out.

    Raises DataError that names file, row and column for what is not understood.
    """
    table = read_table(path, flag="--from", kind=DataError, codes=_CODES)
    heads = _heads(table, {"hospital_code": HOSPITAL[1:], **PAYMENT})
    for name in ("hospital_code", "date", "voucher", "amount"):
        _needed(table, heads, name, HOSPITAL if name == "hospital_code" else (name, *PAYMENT[name]))
    return [_payment(row, heads, pools) for row in table]


def _payment(row: Row, heads: Mapping[str, str], pools: Sequence[str]) -> Payment:
    def text(name: str) -> str:
        return row.text(heads[name]) if name in heads else ""

    fund = _word(row, heads.get("fund", "fund"), text("fund"), FUNDS, POOL)
    known = {pool: pool_pair(pool) for pool in pools}
    pool = _word(row, heads.get("pool", "pool"), text("pool"), known, pools[0] if len(pools) == 1 else "")
    if not text("voucher"):
        raise row.error(heads["voucher"], "缺凭证号", "the number of the voucher is missing")
    return Payment(
        fund, text("hospital_code"), pool, _date(row, heads["date"]), text("voucher"),
        _fen(row, heads["amount"]), row,
    )  # fmt: skip


def _word(row: Row, column: str, text: str, known: Mapping[str, tuple[str, str]], otherwise: str) -> str:
    """The code that a word or a code means."""
    if not text and otherwise:
        return otherwise
    for code, words in known.items():
        if text in (code, *words):
            return code
    names = [words[0] for words in known.values()]
    hint_zh, hint_en = near(text, [*names, *known])
    raise row.error(
        column,
        f"{text!r} 应为 {'、'.join(names)} 之一{hint_zh}",
        f"{text!r} is none of {', '.join(known)}{hint_en}",
    )


def _date(row: Row, column: str) -> str:
    """A day as YYYY-MM-DD."""
    text = row.text(column)
    plain = text.replace("/", "-").replace(".", "-").replace("年", "-").replace("月", "-").removesuffix("日")
    parts = plain.split("-") if "-" in plain else [plain[:4], plain[4:6], plain[6:]]
    try:
        year, month, day = (int(part) for part in parts)
        return date(year, month, day).isoformat()
    except ValueError as error:
        raise row.error(
            column, f"{text!r} 应为日期，如 2025-07-15", f"{text!r} should be a day, such as 2025-07-15"
        ) from error


def _fen(row: Row, column: str) -> Fen:
    text = row.text(column)
    yuan = Decimal(read_money(row, column))
    if yuan <= 0:
        raise row.error(
            column, f"{text!r} 应为大于 0、到分的金额（元）", f"{text!r} should be yuan above 0, to the fen"
        )
    return fen_of(yuan)


def _heads(table: Table, names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Our name of a column to that of the file. Raises DataError where two mean the same."""
    found: dict[str, str] = {}
    for name, others in names.items():
        there = [head for head in table.header if head in (name, *others)]
        if len(there) > 1:
            raise DataError(
                zh=f"{table.path} 第 1 行：{'、'.join(there)} 是同一列",
                en=f"{table.path}, row 1: {', '.join(there)} mean the same",
            )
        if there:
            found[name] = there[0]
    return found


def _needed(table: Table, heads: Mapping[str, str], name: str, words: Sequence[str]) -> str:
    if name not in heads:
        raise DataError(
            zh=f"{table.path} 第 1 行缺少列 {words[1]}（{name}）",
            en=f"{table.path}, row 1, lacks the column {name} ({words[1]})",
        )
    return heads[name]
