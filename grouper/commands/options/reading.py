"""Options that every command that reads records shares, and what they mean to the library."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from grouper.commands.options.shared import both, option, with_options

LAYOUTS = ("canonical", "settlement-list", "hqms", "pinyin", "opendrg", "agency")
INPUT_FORMATS = ("parquet", "arrow", "csv", "jsonl", "json", "xlsx")


def _encoding(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A callback: an encoding of texts that there is. Raises UsageError."""
    if value:
        from grouper.records.encoding import named_encoding

        named_encoding(value)
    return value


def stay_option(zh: str, en: str, default: str | None = "given") -> Callable[..., Any]:
    """``--stay``, with what the command says of it; no default where the grouped file tells it."""
    return option(
        "--stay",
        type=click.Choice(["given", "nights", "days"]),
        default=default,
        show_default=default is not None,
        help=both(zh, en),
    )


file_options = with_options(
    option(
        "--layout",
        type=click.Choice(LAYOUTS),
        help=both("输入数据的格式（默认按表头识别）", "Layout of the input (default: found from the header)"),
    ),
    option(
        "--columns",
        "column_map",
        type=click.Path(exists=True, dir_okay=False),
        metavar="MAP.toml",
        help=both(
            "列映射文件；grouper columns FILE 可生成", "Column map; `grouper columns FILE` proposes one"
        ),
    ),
    option(
        "--format",
        "input_format",
        type=click.Choice(INPUT_FORMATS),
        help=both("输入文件格式（标准输入必须指定）", "Format of the input (needed for standard input)"),
    ),
    option(
        "--encoding",
        callback=_encoding,
        help=both(
            "文本编码（默认自动识别 UTF-8 或 GB18030）", "Text encoding (default: UTF-8 or GB18030, detected)"
        ),
    ),
    option("--sheet", help=both("Excel 工作表名", "Name of the Excel sheet")),
)
codes_options = with_options(
    option(
        "--codes",
        type=click.Choice(["insurance", "clinical"]),
        default="insurance",
        show_default=True,
        help=both(
            "编码版本；clinical 表示国临版，转换为医保版",
            "Code edition of the input; clinical codes are converted",
        ),
    ),
    option(
        "--repair-codes",
        is_flag=True,
        help=both(
            "接受对丢失零的手术操作编码和剑号组合的修复",
            "Accept repairs: zeros put back into procedure codes, half of an unknown dagger pair",
        ),
    ),
)
record_options = with_options(
    file_options,
    codes_options,
    stay_option(
        "住院天数：given 用所给的列；nights 出院减入院（当日为 1）；days 再加 1",
        "Stay: the column given; nights = discharge minus admission (same day 1); days = one more",
    ),
    option(
        "--age-from",
        type=click.Choice(["dates", "given"]),
        default="dates",
        show_default=True,
        help=both(
            "年龄：dates 优先按出生、入院日期推算；given 只用所给的列",
            "Age: from birth and admission dates first, or only the column given",
        ),
    ),
    option(
        "--age-days-unit",
        type=click.Choice(["days", "months"]),
        help=both("不足一周岁年龄列的单位", "Unit of the column of ages under one year"),
    ),
    option(
        "--allow-missing",
        multiple=True,
        metavar="FIELD",
        help=both(
            "方案需要但输入可以没有的列；结果取决于它的行记为缺数据",
            "A column that the scheme reads but the input may lack; rows that depend on it need data",
        ),
    ),
)
reading_options = with_options(
    option(
        "--scheme",
        required=True,
        metavar="ID|PATH|AREA",
        help=both(
            "分组方案：方案 id、方案目录或地区名", "Scheme: its id, the path of its folder, or an area"
        ),
    ),
    option(
        "--date",
        "when",
        metavar="YYYY-MM-DD",
        help=both("按日期选择地区的方案版本", "Choose the edition of an area that applies on this date"),
    ),
    option(
        "--profile",
        help=both("DIP 目录含多套选项时，选用哪一套", "Option set of a DIP folder that holds several"),
    ),
    record_options,
)


def parse_date(text: str | None, flag: str = "--date") -> date | None:
    """A date of the command line; click.BadParameter, naming ``flag``, for any other text."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: YYYY-MM-DD", param_hint=flag) from error


def load_grouper(options: dict[str, Any], lang: str, prefix: str = "") -> Any:
    """The scheme that the options name, with the options that concern codes and fields."""
    when, profile = parse_date(options["when"]), options["profile"]
    return load_named(options["scheme"], options, lang, when=when, profile=profile, prefix=prefix)


def load_named(name: str, options: dict[str, Any], lang: str, **more: Any) -> Any:
    """A scheme by its name, with the options that concern codes and fields."""
    from grouper.grouping.api import load_scheme

    return load_scheme(
        name,
        codes=options["codes"],
        repair_codes=options["repair_codes"],
        stay=options["stay"],
        age=options["age_from"],
        age_days_unit=options["age_days_unit"],
        allow_missing=options["allow_missing"],
        lang=lang,
        **more,
    )


def column_map(path: str | None) -> Any:
    """The column map of ``--columns``, or None."""
    if path is None:
        return None
    from grouper.records import load_map

    return load_map(Path(path))
