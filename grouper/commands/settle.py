"""``grouper settle`` and ``grouper clear``: a month, or a year, into the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from grouper.commands.options.reading import codes_options, file_options, stay_option
from grouper.commands.options.settling import (
    FILE,
    corrections_option,
    draft_option,
    policy_options,
    revision_option,
    run_options,
)
from grouper.commands.options.shared import (
    BilingualCommand,
    both,
    interim_option,
    lang_option,
    language,
    option,
    scheme_differs_option,
    shared_option,
)
from grouper.commands.text.progress import Stages


@click.command(
    cls=BilingualCommand,
    help=both(
        "结算一个月：读取、检查、分组、计价、按基金池结算，写出医院结算表和报告，作为一次运行记入结算湖。"
        "运行要么完整存在，要么不存在；被中断后重新运行同一命令即可。\n\n"
        "退出码：0 成功；1 用法错误；2 数据被退回（或超过 --max-rejected）；3 对账不符。\n\n"
        "示例：grouper settle --area lishui --month 2025-06 --input 六月.parquet --budget budget.toml "
        "--hospitals hospitals.csv -o 结算湖",
        "Settle a month: read, check, group, price and settle the pools, write statements of hospitals and "
        "reports, all as one run of the lake. A run is there whole or not at all; after an interruption run "
        "the same command again.\n\n"
        "Exit codes: 0 done; 1 wrong call; 2 data rejected (or more than --max-rejected); 3 does not add "
        "up.\n\n"
        "Example: grouper settle --area lishui --month 2025-06 --input june.parquet --budget budget.toml "
        "--hospitals hospitals.csv -o LAKE",
    ),
)
@policy_options
@option("--month", required=True, metavar="YYYY-MM", help=both("结算月份（出院月份）", "Month of discharge"))
@option(
    "--input",
    "inputs",
    multiple=True,
    metavar="FILE",
    help=both(
        "结算清单文件，可重复；编码和格式可各不相同",
        "File of settlement lists; repeatable, of any encoding and format",
    ),
)
@option(
    "--inputs",
    "inputs_file",
    default="",
    metavar="INPUTS.toml",
    help=both(
        "输入清单：各文件各自的列映射、格式、编码、工作表和表头行（见 docs/zh/records.md）",
        "List of inputs: each file with its own map, layout, encoding, sheet, header row (docs/records.md)",
    ),
)
@option(
    "--budget",
    required=True,
    type=FILE,
    metavar="FILE.toml",
    help=both(
        "当月预算，或全年预算（按月分配）", "Budget of the month, or of its year (a month's part is taken)"
    ),
)
@option(
    "--hospitals",
    required=True,
    type=FILE,
    metavar="CSV",
    help=both(
        "定点医院：hospital_code、hospital_name、hospital_level、hospital_kind、county、alliance",
        "Hospitals: hospital_code, hospital_name, hospital_level, hospital_kind, county, alliance",
    ),
)
@option(
    "--scheme",
    default="",
    metavar="ID|PATH|AREA",
    help=both("分组方案（默认用政策的）", "Scheme (default: the policy's)"),
)
@corrections_option(
    "更正文件，可重复：决定（CSV，有 kind 列）或补报、更正的清单",
    "Corrections, repeatable: decisions (CSV with a column kind), or late and corrected lists",
)
@option(
    "--decisions",
    default="",
    metavar="CSV",
    help=both(
        "本月逐例决定：record_id 及各决定列", "Decisions by case of this month: record_id and what is decided"
    ),
)
@option(
    "--max-rejected",
    default="0.1",
    show_default=True,
    metavar="SHARE",
    help=both(
        "退回行数占比的上限，超过则不写入（退出码 2）",
        "Share of rows that may be rejected; above it nothing is written (exit code 2)",
    ),
)
@option(
    "--max-held",
    default="0.05",
    show_default=True,
    metavar="SHARE",
    help=both(
        "暂不支付病例费用占比的上限（按政策待评审的极高倍率病例不计），超过则不写入（退出码 2）",
        "Share of cost that may be held, without extreme cases that wait for their review; above it nothing "
        "is written (exit code 2)",
    ),
)
@option(
    "--max-unknown-codes",
    default="0.05",
    show_default=True,
    metavar="SHARE",
    help=both(
        "不认识的编码占比的上限，超过则不写入（退出码 2）",
        "Share of codes that may be unknown; above it nothing is written (exit code 2)",
    ),
)
@scheme_differs_option
@interim_option
@option(
    "--pseudonymise",
    default="",
    metavar="KEYFILE",
    help=both(
        "用密钥文件对人员标识做带密钥散列（HMAC-SHA256）", "Replace person ids by a keyed hash (HMAC-SHA256)"
    ),
)
@option(
    "--value",
    type=click.Choice(["budget", "settlement"]),
    default="budget",
    show_default=True,
    help=both(
        "按预算点值或当月结算点值", "At the budget value of a point, or at the month's settlement value"
    ),
)
@option(
    "--reopen",
    is_flag=True,
    help=both("重做已关账的月份，其后的运行失效", "Do a closed month again; what came after becomes invalid"),
)
@option(
    "--skip-months",
    is_flag=True,
    help=both(
        "跳过尚未结算的月份（默认拒绝；账本和报告写明）",
        "Go on although months before are not settled (default: refuse; ledger and report say it)",
    ),
)
@file_options
@codes_options
@stay_option("住院天数的来源，见 grouper group", "Where the stay comes from, see grouper group")
@option(
    "--allow-missing",
    multiple=True,
    metavar="FIELD",
    help=both("可以没有的列", "A column that may be missing"),
)
@shared_option
@revision_option
@draft_option
@run_options
@lang_option
def settle(lake: str, dry_run: bool, no_report: bool, **given: Any) -> None:
    from grouper.commands.text.ledger import STAGES, month_summary
    from grouper.lake import Lake
    from grouper.lake.commit import ready
    from grouper.settlement.month import settle_month
    from grouper.settlement.plan.job import Job, describe, make_plan

    given["columns"] = given.pop("column_map")
    texts = ("columns", "layout", "input_format", "encoding", "sheet")
    job = Job(**{**given, **{name: given[name] or "" for name in texts}})
    for name in ("max_rejected", "max_held", "max_unknown_codes"):
        _share(getattr(job, name), "--" + name.replace("_", "-"))
    place = Lake(Path(lake))
    if not dry_run:
        ready(place)
    plan = make_plan(place, job)
    for line in describe(plan, language()):
        click.echo(line, err=True)
    if dry_run:
        return
    done = settle_month(place, job, plan, Stages(STAGES, language()), reports=not no_report)
    for line in month_summary(done, language()):
        click.echo(line, err=True)


def _share(text: str, flag: str) -> None:
    """A share from 0 to 1. Raises UsageError."""
    from grouper.base.errors import UsageError
    from grouper.base.exact import decimal_of

    share = decimal_of(text)
    if share is not None and 0 <= share <= 1:
        return
    raise UsageError(
        zh=f"{flag} {text!r} 应为 0 到 1 的数，例如 0.05",
        en=f"{flag} {text!r} should be a number from 0 to 1, such as 0.05",
    )


@click.command(
    cls=BilingualCommand,
    help=both(
        "清算一年：全年各月的病例（含调整）按结算点值重新分配，减去已预拨和保证金，得出清算应拨或应收回。\n\n"
        "示例：grouper clear --area lishui --year 2025 --budget 2025.toml -o 结算湖",
        "Clear a year: the cases of all its months with their adjustments, at the settlement value; less "
        "what was prepaid and withheld it gives what is still to be paid or recovered.\n\n"
        "Example: grouper clear --area lishui --year 2025 --budget 2025.toml -o LAKE",
    ),
)
@policy_options
@option("--year", required=True, metavar="YYYY", help=both("清算年度", "Year"))
@option(
    "--budget", required=True, type=FILE, metavar="FILE.toml", help=both("全年预算", "Budget of the year")
)
@corrections_option(
    "考核得分和稽核扣款（CSV，kind 为 quality、audit_deduction）",
    "Scores and audit deductions (CSV, kind quality or audit_deduction)",
)
@option(
    "--partial",
    is_flag=True,
    help=both(
        "只清算已有月份，用这些月份的预算", "Clear the months that there are, with the budget of these months"
    ),
)
@option(
    "--held-remain",
    is_flag=True,
    help=both(
        "仍有暂不支付的病例也清算（默认拒绝，并按医院列出）",
        "Clear although cases are held (default: refuse, and list them by hospital)",
    ),
)
@revision_option
@draft_option
@run_options
@lang_option
def clear(lake: str, dry_run: bool, no_report: bool, **given: Any) -> None:
    from grouper.commands.text.ledger import YEAR_STAGES, year_plan_lines, year_summary
    from grouper.lake import Lake
    from grouper.lake.commit import ready
    from grouper.settlement.plan.year_job import YearJob, make_year_plan
    from grouper.settlement.year import clear_year

    job = YearJob(**given)
    place = Lake(Path(lake))
    if not dry_run:
        ready(place)
    plan = make_year_plan(place, job)
    for line in year_plan_lines(plan, language()):
        click.echo(line, err=True)
    if dry_run:
        return
    done = clear_year(place, job, plan, Stages(YEAR_STAGES, language()), reports=not no_report)
    for line in year_summary(done, language()):
        click.echo(line, err=True)
