"""``grouper explain``: why one record is where it is."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import click

from grouper.base.errors import UsageError
from grouper.commands.options.reading import column_map, load_grouper, reading_options
from grouper.commands.options.record import from_options, record_options
from grouper.commands.options.shared import (
    DATE,
    BilingualCommand,
    both,
    day,
    lang_option,
    language,
    option,
    scheme_differs_option,
)
from grouper.commands.text.payment import Pricing, is_priced


@click.command(
    cls=BilingualCommand,
    help=both(
        "解释一条记录的分组，先写五行：病组、依据哪些编码、计入和被排除的 MCC/CC、差一步的组、问题。"
        "--full 再写编码转换、MDC、各 ADRG 为何成立或不成立、细分组。\n\n"
        "记录用选项给出，或从标准输入读 JSON（SOURCE 为 -），"
        "或取文件中的一行（SOURCE 为文件，加 --record-id）。\n\n"
        "--policy 再说明其支付：各步骤的公式、数字和条款；SOURCE 为 grouper pay 的结果时按其各列说明。\n\n"
        "示例：grouper explain --scheme chs-drg-2.0 --dx I63.900 --dx I10.x00 --sex 1 --age 70",
        "Explain the group of one record in five lines: the group, because of which codes, the MCC/CC that "
        "count or are excluded, what is one step away, what is wrong. --full goes on to codes, MDC, why each "
        "ADRG holds or fails, and the split.\n\n"
        "The record comes from options, as JSON from standard input (SOURCE is -), or from a file "
        "(SOURCE is a file, with --record-id).\n\n"
        "--policy goes on to its payment: the formula of every step with its numbers and clauses; of a file "
        "that grouper pay wrote, from its own columns.\n\n"
        "Example: grouper explain --scheme chs-drg-2.0 --dx I63.900 --dx I10.x00 --sex 1 --age 70",
    ),
)
@click.argument("source", required=False, metavar="[SOURCE]")
@option(
    "--record-id",
    "--record",
    help=both("文件中的记录号（或结算号、就诊号、病案号）", "Id of the record in the file"),
)
@record_options
@option(
    "--policy",
    metavar="ID|AREA|FILE",
    help=both("再说明按此政策的支付", "Explain the payment by this policy too"),
)
@option(
    "--as-of",
    type=DATE,
    metavar="YYYY-MM-DD",
    help=both(
        "支付参数的日期（默认出院日期）", "The day of the parameters of payment (default: of discharge)"
    ),
)
@option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help=both(
        "支付所需的列，例如 total_cost=15000，可重复",
        "A column that payment reads, such as total_cost=15000; repeatable",
    ),
)
@scheme_differs_option
@option(
    "--full",
    is_flag=True,
    help=both("在五行摘要之后写出每一步", "Every step, below the five lines"),
)
@option("--json", "as_json", is_flag=True, help=both("输出 JSON", "Write JSON"))
@reading_options
@lang_option
def explain(
    source: str | None,
    record_id: str | None,
    full: bool,
    as_json: bool,
    policy: str | None,
    as_of: datetime | None,
    settings: tuple[str, ...],
    scheme_differs: bool,
    **options: Any,
) -> None:
    pricing = Pricing(policy, day(as_of), settings)
    parts: dict[str, Any] = {}
    if policy and source and source != "-" and is_priced(source):
        if record_id is None:
            raise _no_record()
        parts["payment"] = pricing.of_priced(source, record_id)
    else:
        options["scheme"] = options["scheme"] or pricing.scheme()
        grouper = load_grouper(options, language())
        if policy:
            pricing.check_scheme(grouper, scheme_differs)
        record, fields = _record(grouper, source, record_id, options)
        parts["grouping"] = grouper.explain(record)
        if policy:
            if record_id and source:
                fields = pricing.fields(source, record_id, _reading(options))
            parts["payment"] = pricing.of_record({**fields, **record}, parts["grouping"].result)
    if as_json:
        plain = {name: part.as_dict() for name, part in parts.items()}
        click.echo(json.dumps(plain if policy else plain["grouping"], ensure_ascii=False, indent=1))
    else:
        short = {} if full or "grouping" not in parts else {"grouping": parts["grouping"].summary(language())}
        told = {name: part.text(language()) for name, part in parts.items() if name not in short}
        click.echo("\n\n".join((short | told).values()))


# With --policy the scheme is the policy's, unless one is named.
for _parameter in explain.params:
    if _parameter.name == "scheme":
        _parameter.required = False


def _no_record() -> UsageError:
    return UsageError(
        zh="从文件取记录时请用 --record-id 指明哪一条", en="name the record of the file with --record-id"
    )


def _record(
    grouper: Any, source: str | None, record_id: str | None, options: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record as it is grouped, and its columns that payment may read."""
    from grouper.grouping.find import find_record
    from grouper.grouping.one import prepare_record

    if source is None:
        given = from_options(options)
        return prepare_record(grouper, given), given
    if source == "-" and record_id is None and options["input_format"] in (None, "json"):
        return _from_json(grouper, sys.stdin.read(), column_map(options["column_map"]))
    if record_id is None:
        raise _no_record()
    return find_record(grouper, source, record_id, **_reading(options)), {}


def _from_json(grouper: Any, text: str, columns: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """One object, a list of one, or a 4101 message."""
    from grouper.grouping.one import check_keys, message_record, prepare_record
    from grouper.payment.price.inputs import INPUTS
    from grouper.records.jsonfile import one_value
    from grouper.records.settlement_list import message_nodes

    record = one_value(text)
    if isinstance(record, list) and len(record) == 1:
        record = record[0]
    if not isinstance(record, dict):
        number = len(record) if isinstance(record, list) else 0
        raise UsageError(
            zh=f"标准输入应为一条 JSON 记录（对象），实有 {number} 条；多条时请给出文件和 --record-id",
            en=f"standard input should be one JSON record (an object), but holds {number}; of several, "
            "name a file and --record-id",
        )
    if message_nodes(record) is not None:
        return message_record(grouper, record)
    if columns is None:
        check_keys(record, (*INPUTS, *grouper.result_names))
    return prepare_record(grouper, record, columns), record


def _reading(options: dict[str, Any]) -> dict[str, Any]:
    """The options that concern how the file is read."""
    return {
        "layout": options["layout"],
        "columns": column_map(options["column_map"]),
        "file_format": options["input_format"],
        "encoding": options["encoding"],
        "sheet": options["sheet"],
    }
