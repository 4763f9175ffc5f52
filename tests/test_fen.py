"""Yuan are decimals, fen are integers, and one place turns the one into the other."""

from __future__ import annotations

import ast
import re
from decimal import Decimal
from pathlib import Path

import pytest

import grouper
from grouper.base.errors import DataError
from grouper.base.money import fen_of, yuan_of
from grouper.commands.text.ledger import yuan

ROOT = Path(grouper.__file__).parent
ROOMS = ("settlement", "lake", "payment/pool", "report/data.py")
_FEN = re.compile(r"(^|_)fen$")


@pytest.mark.parametrize(
    ("yuan", "fen"),
    [("0", 0), ("12.34", 1234), ("-0.01", -1), ("5", 500), ("99999999999999999999.99", 10**22 - 1)],
)
def test_an_amount_goes_to_fen_and_back_exactly(yuan: str, fen: int) -> None:
    assert fen_of(Decimal(yuan)) == fen
    assert yuan_of(fen) == Decimal(yuan) and yuan_of(fen).as_tuple().exponent == -2


def test_amounts_too_large_for_a_float_are_shown_to_the_fen() -> None:
    assert yuan(10**18 + 1) == "10,000,000,000,000,000.01"
    assert yuan(-123_456) == "-1,234.56" and yuan(0) == "0.00"


def test_parts_of_a_fen_are_refused_and_never_cut_off() -> None:
    with pytest.raises(DataError, match=r"0\.005 yuan has parts of a fen") as raised:
        fen_of(Decimal("0.005"))
    assert "0.005 元不是整分" in raised.value.zh


def sources() -> list[Path]:
    found = [ROOT / room for room in ROOMS]
    return [path for each in found for path in ([each] if each.is_file() else sorted(each.rglob("*.py")))]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_amounts_cross_between_yuan_and_fen_in_one_place(path: Path) -> None:
    crossings = [
        ast.unparse(node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (_scaled(node) or _cut(node))
    ]  # fmt: skip
    assert not crossings, "use grouper.base.money.fen_of or yuan_of"


def _scaled(call: ast.Call) -> bool:
    """``x.scaleb(2)`` or ``x.scaleb(-2)``."""
    return isinstance(call.func, ast.Attribute) and ast.unparse(call).endswith((".scaleb(2)", ".scaleb(-2)"))


def _cut(call: ast.Call) -> bool:
    """``int(x * 100)``."""
    return ast.unparse(call.func) == "int" and ast.unparse(call).endswith("* 100)")


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_called_fen_is_no_decimal(path: Path) -> None:
    """A field, parameter or variable that is named fen, or typed Fen, is never typed Decimal or float."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name, type_ = (
            (ast.unparse(node.target), node.annotation) if isinstance(node, ast.AnnAssign)
            else (node.arg, node.annotation) if isinstance(node, ast.arg) else ("", None)
        )  # fmt: skip
        if _FEN.search(name) and type_ is not None:
            assert not {"Decimal", "float"} & {n.id for n in ast.walk(type_) if isinstance(n, ast.Name)}
