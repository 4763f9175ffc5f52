"""``grouper resettle``: the months after a reopened one, again from the ledger's inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from grouper.commands.options.settling import area_option, step_options
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, memory_of, option
from grouper.commands.text.progress import Stages


@click.command(
    cls=BilingualCommand,
    help=both(
        "重做因 settle --reopen 而失效的各月：按账本记的输入文件（按原路径和 SHA-256 核对，缺少或改动的文件"
        "指名拒绝）和选项，依次重新结算，每月一次新运行，并列出与原运行的差额。须审批的湖每次只做一个月的草稿，"
        "审批后再继续。\n\n示例：grouper resettle 结算湖 --from 2025-02 --who 王芳",
        "Do the months again that settle --reopen made invalid: from the inputs that the ledger names (by "
        "path and SHA-256; a missing or changed file is refused by name) and with their options, in order, "
        "each as a new run, with the differences to the run before. Where approval is required it makes one "
        "draft at a time; go on when that is approved.\n\n"
        'Example: grouper resettle LAKE --from 2025-02 --who "Wang"',
    ),
)
@click.argument("lake", type=click.Path(file_okay=False, path_type=Path))
@option(
    "--from",
    "first",
    required=True,
    metavar="YYYY-MM",
    help=both("从哪个月起", "The first month to do again"),
)
@area_option
@step_options
@option("--dry-run", is_flag=True, help=both("只列出要重做的月份", "Name the months and stop"))
@option("--no-report", is_flag=True, help=both("不写报告", "Write no reports"))
@option("--threads", type=click.IntRange(1, 256), help=both("线程数（默认全部）", "Threads (default: all)"))
@option(
    "--memory",
    default="",
    callback=memory_of,
    metavar="SIZE",
    help=both("内存上限，例如 4GB", "Limit of memory, such as 4GB"),
)
@lang_option
def resettle(lake: Path, first: str, area: str, dry_run: bool, no_report: bool, **given: Any) -> None:
    from grouper.commands.text.ledger import STAGES
    from grouper.commands.text.resettle import again_lines, end_lines, waiting_lines
    from grouper.lake import Lake
    from grouper.lake.commit import ready
    from grouper.settlement import resettle as library

    place = Lake(lake)
    months = library.waiting(place, first, area)
    library.check_inputs(months)
    for line in waiting_lines(months, language()):
        click.echo(line, err=True)
    if dry_run:
        return
    ready(place)
    done = []
    stages = Stages(STAGES, language())
    for again in library.resettle(place, months, stage=stages, reports=not no_report, **given):
        done.append(again)
        for line in again_lines(again, language()):
            click.echo(line)
    for line in end_lines(months, done, library.cleared(place, area), language()):
        click.echo(line)
