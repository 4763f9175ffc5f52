"""Options that the commands which write a run into a lake share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from grouper.base.errors import UsageError
from grouper.commands.options.shared import both, memory_of, option, with_options

FILE = click.Path(exists=True, dir_okay=False)
# Whose policy the run goes by.
policy_options = with_options(
    option("--area", default="", help=both("地区；政策按期间选取", "Area; the period chooses its policy")),
    option(
        "--policy",
        default="",
        metavar="ID|FILE",
        help=both("支付政策（代替 --area 的）", "Policy, instead of the area's"),
    ),
)
# What the ledger keeps of a run, how it is carried out, and where to.
run_options = with_options(
    option("--who", default="", help=both("操作人，写入账本", "Who runs it, for the ledger")),
    option(
        "--when",
        default="",
        metavar="TEXT",
        help=both("时间，原样写入账本（程序不读时钟）", "Time, for the ledger as given (no clock is read)"),
    ),
    option("--note", default="", help=both("备注，写入账本", "Note, for the ledger")),
    option("--dry-run", is_flag=True, help=both("只显示计划", "Show the plan and stop")),
    option("--no-report", is_flag=True, help=both("不写报告", "Write no reports")),
    option(
        "--threads", type=click.IntRange(1, 256), help=both("线程数（默认全部）", "Threads (default: all)")
    ),
    option(
        "--memory",
        default="",
        callback=memory_of,
        metavar="SIZE",
        help=both(
            "数据库内存上限，例如 4GB（默认：合计不超过可用内存的一半）",
            "Limit of memory of the database, such as 4GB (default: half of what is free, in all)",
        ),
    ),
    option(
        "-o",
        "--output",
        "lake",
        required=True,
        type=click.Path(file_okay=False),
        metavar="LAKE",
        help=both("结算湖目录", "Folder of the lake"),
    ),
)


def corrections_option(zh: str, en: str) -> Callable[..., Any]:
    """``--corrections``, with what the command takes by it."""
    return option("--corrections", multiple=True, type=FILE, metavar="FILE", help=both(zh, en))


area_option = option(
    "--area", default="", help=both("地区（湖中有多个时）", "Area, where the lake holds several")
)
# Who does a step after a settlement; no clock is read.
step_options = with_options(
    option(
        "--who", required=True, metavar="NAME", help=both("操作人，写入账本", "Who does it, for the ledger")
    ),
    option(
        "--when", default="", metavar="TEXT", help=both("时间，原样写入账本", "Time, for the ledger as given")
    ),
    option("--note", default="", metavar="TEXT", help=both("备注，写入账本", "Note, for the ledger")),
)
revision_option = option(
    "--revision",
    multiple=True,
    type=FILE,
    metavar="FILE.toml",
    help=both(
        "年中预算调整（写明文号和起始月份），可重复，按月份先后",
        "Revision of the year's budget (with its document and first month); repeatable, in order of months",
    ),
)
draft_option = option(
    "--draft",
    is_flag=True,
    help=both(
        "先做草稿：经 grouper approve 审批后才有效",
        "Make a draft, which counts once grouper approve approves it",
    ),
)


def one_period(month: str, year: str) -> str:
    """The period that --month or --year names. Raises UsageError for none or both."""
    if bool(month) == bool(year):
        raise UsageError(
            zh="请用 --month 或 --year 之一指定期间", en="name the period by --month or by --year"
        )
    return month or year
