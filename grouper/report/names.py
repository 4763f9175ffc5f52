"""Names and reasons as people read them: no word of the program in them."""

from __future__ import annotations

import re

from grouper.payment.policy import words
from grouper.report.numbers import Lang

# What the name of a score of the auxiliary DIP catalogue ends with, before the number of its class.
_AUXILIARY = {
    "dis": ("病情严重程度", "severity "), "tum": ("肿瘤严重程度", "tumour "),
    "cci": ("合并症指数", "comorbidity "), "age": ("年龄段", "age "),
    "care_unit_time": ("监护天数档", "days of intensive care "),
}  # fmt: skip
_MARK = re.compile(r"〔(" + "|".join(_AUXILIARY) + r")(\w*)〕")


def group_name(text: object, t: Lang) -> str:
    """The name of a group with the marks of the auxiliary catalogue in words; "" for none."""
    return _MARK.sub(lambda found: f"〔{t(*_AUXILIARY[found[1]])}{found[2]}〕", str(text or ""))


# Options of commands that reasons of rows speak of, and what they stand for.
_OPTIONS = {"--hospitals": "医院表", "--corrections": "更正文件", "--decisions": "评审决定"}
_OPTION = re.compile(r"（--[\w -]+）|--[\w-]+(?: [a-z]+)?")
_COLUMN = re.compile(r"[a-z]+(?:_[a-z]+)+")


def row_reason(text: str, t: Lang) -> str:
    """Why a row was kept out; in Chinese without options and names of columns."""
    if t.code == "en":
        return text
    text = _OPTION.sub(lambda found: _OPTIONS.get(found[0], ""), text)
    return t.own(_COLUMN.sub(lambda found: words.column(found[0], t.code), text))
