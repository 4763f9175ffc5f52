"""``grouper audit``: is a lake what its ledger says?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grouper.base.errors import EXIT_RECONCILIATION
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option


@click.command(
    cls=BilingualCommand,
    help=both(
        "核查结算湖：账本哈希链、各文件 SHA-256、由 Parquet 重新推导的控制总数；--replay 用原输入"
        "重算一次运行，逐分比较。不符时退出码为 3。\n\n示例：grouper audit 结算湖 --replay 000006",
        "Check a lake: the hash chain of its ledger, the SHA-256 of every file, the control totals derived "
        "again from the Parquet; --replay computes a run again from its inputs and compares it to the fen. "
        "Exit code 3 when something differs.\n\nExample: grouper audit LAKE --replay 000006",
    ),
)
@click.argument("lake", type=click.Path(file_okay=False))
@option(
    "--replay",
    "replays",
    multiple=True,
    metavar="RUN",
    help=both("重算的运行，可重复", "Run to compute again; repeatable"),
)
@lang_option
def audit(lake: str, replays: tuple[str, ...]) -> None:
    from grouper.commands.text.ledger import audit_lines, replay_lines
    from grouper.lake import Lake
    from grouper.settlement import audit as library
    from grouper.settlement.replay import replay

    place = Lake(Path(lake))
    done = library.audit(place)
    for line in audit_lines(done, language()):
        click.echo(line)
    again = [replay(place, run.zfill(6)) for run in replays]
    for line in replay_lines(again, language()):
        click.echo(line)
    if done.findings or not all(item.same for item in again):
        sys.exit(EXIT_RECONCILIATION)
