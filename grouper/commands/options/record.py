"""The options that give one record on the command line."""

from __future__ import annotations

import re
from typing import Any

from grouper.base.errors import UsageError
from grouper.commands.options.shared import both, option, with_options

_JOINED = re.compile(r"\S[,，;；、|]\s*\S")
record_options = with_options(
    option(
        "--dx",
        multiple=True,
        metavar="CODE",
        help=both("诊断编码，第一个为主要诊断", "Diagnosis; the first is the principal one"),
    ),
    option(
        "--proc",
        multiple=True,
        metavar="CODE",
        help=both("手术操作编码，第一个为主要操作", "Procedure; the first is the main one"),
    ),
    option("--sex", help=both("性别：1 或男，2 或女", "Sex: 1 male, 2 female, or a word")),
    option("--age", "age_years", help=both("年龄（岁）", "Age in years")),
    option("--age-days", help=both("不足一周岁的天龄", "Age in days, under one year")),
    option("--weight", help=both("出生体重（克）", "Birth weight (g)")),
    option(
        "--admission-weight",
        help=both(
            "新生儿入院体重（克），CHS-DRG 3.0 用", "Newborn's weight on admission (g), for CHS-DRG 3.0"
        ),
    ),
    option("--los", help=both("住院天数", "Stay in days")),
    option("--icu-hours", help=both("重症监护小时数", "ICU hours")),
    option("--discharge-way", help=both("离院方式（编码或文字）", "Way of discharge, a code or a word")),
    option("--department", help=both("科室编码", "Department code")),
)


def from_options(options: dict[str, Any]) -> dict[str, Any]:
    """The record that the options give. Raises UsageError when there is no diagnosis."""
    if not options["dx"]:
        raise UsageError(
            zh="请用 --dx 给出主要诊断，或给出文件和 --record-id，或用 - 从标准输入读 JSON",
            en="give the principal diagnosis with --dx, or a file with --record-id, "
            "or - for JSON on standard input",
        )
    for flag in ("dx", "proc"):
        if joined := next((code for code in options[flag] if _JOINED.search(code)), ""):
            raise UsageError(
                zh=f"--{flag} {joined!r} 里有多个编码；每个编码写一个 --{flag}",
                en=f"--{flag} {joined!r} holds several codes; give each a --{flag} of its own",
            )
    values = {
        "diagnoses": list(options["dx"]),
        "procedures": list(options["proc"]),
        "sex": options["sex"],
        "age_years": options["age_years"],
        "age_days": options["age_days"],
        "birth_weight_g": options["weight"],
        "admission_weight_g": options["admission_weight"],
        "los_days": options["los"],
        "icu_hours": options["icu_hours"],
        "discharge_way": options["discharge_way"],
        "department": options["department"],
    }
    return {name: value for name, value in values.items() if value is not None}
