"""Decisions about cases: which words they may have, and what a policy can do with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from grouper.base.exact import decimal_of, fits
from grouper.base.tables_in import Row
from grouper.payment.price.inputs import DECIDED, INPUTS
from grouper.records.values import clean, money_text, not_money
from grouper.records.words import fold_word

if TYPE_CHECKING:
    from grouper.payment.policy.policy import Policy

_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")  # 1,000.50, not 5000,00
_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?|[+-]?\.[0-9]+")
# Column of a decision -> value -> (Chinese, other words that are understood).
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "special_review": {
        "by_item": ("按项目", "按项目付费", "按项目支付"),
        "adjust": ("调整", "调整分值", "调整点数", "调整金额"),
        "keep": ("维持", "维持原标准", "不调整"),
    },
    "readmission_justified": {
        "yes": ("是", "合理", "y", "true", "1"),
        "no": ("否", "不合理", "n", "false", "0"),
    },
    "tcm_outcome": {"met": ("达标",), "failed": ("未达标",), "readmitted": ("再住院", "再入院")},
}

# Column of a decision -> its range, as (Chinese, English, SQL of a value "x" outside it).
RANGES: dict[str, tuple[str, str, str]] = {
    **dict.fromkeys(
        ("unreasonable_cost", "new_technology_cost", "special_review_amount", "special_review_points"),
        ("不能为负", "may not be negative", "x < 0"),
    ),
    "auxiliary_coefficient": ("应大于 0", "should be above 0", "x <= 0"),
    "tcm_share": ("应在 0 与 1 之间", "should be from 0 to 1", "x < 0 OR x > 1"),
}


def known(column: str) -> str:
    """The words of a decision, for a message: each value with its Chinese."""
    return "、".join(f"{value} {words[0]}" for value, words in WORDS[column].items())


def read_word(column: str, text: str) -> str | None:
    """The value that a word of a decision stands for; None for one that nobody knows."""
    folded = fold_word(text)
    for value, words in WORDS[column].items():
        if folded == value or folded in words:
            return value
    return None


def read_number(text: str, digits: int) -> str | None:
    """A number as a text in plain ASCII; None for what is none, or has more than ``digits`` decimals.

    Full-width digits and thousands set apart are understood; exponents are not: nobody writes an amount
    so, and 1e9 is soon typed for 19. It has at most 18 figures, those decimals included.
    """
    plain = clean(text)[0]
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    number = decimal_of(plain)
    if number is None or not _PLAIN.fullmatch(plain) or not fits(number, digits):
        return None
    return plain if abs(number) < 10 ** (18 - digits) else None


def read_money(row: Row, column: str) -> str:
    """The amount of a cell as a plain text. Raises the error of the row's table for what is none."""
    amount = money_text(row.text(column))
    if amount is None:
        raise row.error(column, *not_money(row.text(column)))
    return amount


def read_decisions(row: Row) -> dict[str, str]:
    """The decisions of a row by column (DECIDED), words and numbers read.

    Raises the error of the row's table, with file, row and column, for what is not understood.
    """
    found = {name: row.text(name) for name in DECIDED if row.text(name)}
    for name, value in found.items():
        spec = INPUTS[name]
        if spec.kind == "money":
            found[name] = read_money(row, name)
        elif spec.kind == "decimal":
            number = read_number(value, spec.digits)
            if number is None:
                zh = f"{value!r} 应为最多 {spec.digits} 位小数的数"
                raise row.error(name, zh, f"{value!r} should be a number of at most {spec.digits} decimals")
            found[name] = number
        if name in WORDS:
            word = read_word(name, value)
            if word is None:
                zh = f"{value!r} 不认识；可用：{known(name)}"
                raise row.error(name, zh, f"{value!r} is not understood; known are {known(name)}")
            found[name] = word
    return found


def unfit(policy: Policy, values: Mapping[str, object]) -> tuple[str, str, str] | None:
    """Why a policy can do nothing with a decision: column, Chinese, English; None where it can.

    ``values``: the columns of the decision that are given, their words read.
    """
    for name, (zh, en, _) in RANGES.items():
        number = decimal_of(str(values.get(name)))
        if number is not None and not _within(name, number):
            return name, f"{values[name]} {zh}", f"{values[name]} {en}"
    review = values.get("special_review")
    if review is None:
        return None
    if "special_review_quota" not in policy.parameters:
        return (
            "special_review",
            f"政策 {policy.id} 没有特例单议（special_review_quota），special_review 无法执行",
            f"policy {policy.id} knows no special review (special_review_quota): it can do nothing with "
            "special_review",
        )
    if review != "adjust":
        return None
    points = policy.method != "drg_rate"
    given = [n for n in ("special_review_amount", "special_review_points") if _is_amount(values.get(n))]
    if given == ["special_review_points"] and not points:
        return (
            "special_review_points",
            f"政策 {policy.id} 按金额计价：adjust 需要 special_review_amount（元）",
            f"policy {policy.id} pays in yuan: adjust needs special_review_amount, not special_review_points",
        )
    if not given:
        wanted = "special_review_points / special_review_amount" if points else "special_review_amount"
        return "special_review", f"adjust 需要 {wanted}", f"adjust needs {wanted}"
    return None


def _within(name: str, number: Decimal) -> bool:
    if name == "auxiliary_coefficient":
        return number > 0
    return number >= 0 and (name != "tcm_share" or number <= 1)


def _is_amount(value: object) -> bool:
    return decimal_of(str(value)) is not None
