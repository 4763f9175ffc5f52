"""Yuan and fen: the two ways between them, and cost columns of any type as whole fen, in SQL.

Files, tables and whatever people read have yuan (``Decimal``, two decimals); sums, shares and the ledger have
whole fen (``Fen``). What is not exact in fen is never rounded unasked.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import pyarrow as pa

from grouper.base.errors import DataError
from grouper.base.written import amount, is_text

# Whole fen, a hundred to the yuan. Sums and shares of them are plain ints, so this is a name and no type of
# its own; yuan are Decimal, which no type checker lets pass for it.
Fen: TypeAlias = int
_COST_TYPES = "DECIMAL(18,2)"


def cost_columns(column: str, type_: pa.DataType, as_: str, round_cost: bool) -> str:
    """SQL for two columns: ``as_`` (fen, BIGINT) and ``as_``_fault (null, "unreadable" or "inexact").

    ``column`` is a quoted SQL name of a column of the Arrow type ``type_``. A fault is a value that
    is no amount, or has parts of a fen (unless ``round_cost``, which rounds halves away from zero).
    """
    plain = amount(column) if is_text(type_) else column
    yuan = f"TRY_CAST({plain} AS {_COST_TYPES})"
    if pa.types.is_floating(type_):
        same = f"CAST({yuan} AS {'FLOAT' if type_ == pa.float32() else 'DOUBLE'}) = {column}"
    elif pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        same = f"{yuan} = {column}"
    else:
        same = f"{yuan} = TRY_CAST({plain} AS DECIMAL(38,12))"
    inexact = "NULL" if round_cost else f"CASE WHEN NOT ({same}) THEN 'inexact' END"
    return (
        f"CAST({yuan} * 100 AS BIGINT) AS {as_}, "
        f"CASE WHEN {column} IS NULL THEN NULL WHEN {yuan} IS NULL THEN 'unreadable' ELSE {inexact} END "
        f"AS {as_}_fault"
    )


def refuse(kind: str, where: str, row: int, column: str, value: object, *, flags: bool = True) -> DataError:
    """The error for the first faulty amount; ``row`` counts the rows of the data from 1. ``flags``: the
    command has flags that mend it."""
    if not flags:
        what = ("不是整分", "has parts of a fen") if kind == "inexact" else ("不是金额", "is not an amount")
        return DataError(
            zh=f"{where} 第 {row} 行 {column} 列：{value!r} {what[0]}；请改正",
            en=f"{where}, row {row}, column {column}: {value!r} {what[1]}; correct it",
        )
    if kind == "inexact":
        return DataError(
            zh=f"{where} 第 {row} 行 {column} 列：{value} 不是整分；核实后用 --round-cost 四舍五入到分",
            en=f"{where}, row {row}, column {column}: {value} has parts of a fen; --round-cost rounds to fen",
        )
    return DataError(
        zh=f"{where} 第 {row} 行 {column} 列：{value!r} 不是金额；请改正，或用 --cost-column 指定金额列",
        en=f"{where}, row {row}, column {column}: {value!r} is not an amount; correct it, or name the column "
        "of costs with --cost-column",
    )


def fen_of(yuan: Decimal) -> Fen:
    """An amount in yuan as fen. Raises DataError for parts of a fen."""
    exact = yuan.scaleb(2)
    if exact != exact.to_integral_value():
        raise DataError(zh=f"{yuan} 元不是整分", en=f"{yuan} yuan has parts of a fen")
    return int(exact)


def yuan_of(fen: Fen) -> Decimal:
    """Fen as yuan, with two decimals."""
    return Decimal(fen).scaleb(-2)
