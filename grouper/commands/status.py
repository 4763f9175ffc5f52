"""``grouper status``: the runs of a lake."""

from __future__ import annotations

import json
from pathlib import Path

import click

from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option


@click.command(
    cls=BilingualCommand,
    help=both(
        "列出结算湖中的运行：期间、病例、退回、转调整行、应付基金、政策、操作人；有效的运行标 *。\n\n"
        "示例：grouper status 结算湖",
        "List the runs of a lake: period, cases, rejected rows, rows that became adjustments, fund due, "
        "policy, who; valid runs have a *.\n\nExample: grouper status LAKE",
    ),
)
@click.argument("lake", type=click.Path(file_okay=False))
@option("--json", "as_json", is_flag=True, help=both("以 JSON 输出", "Write JSON"))
@lang_option
def status(lake: str, as_json: bool) -> None:
    from grouper.commands.text.ledger import run_lines
    from grouper.lake import Lake
    from grouper.settlement.show import runs

    rows = runs(Lake(Path(lake)))
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for line in run_lines(rows, language()):
        click.echo(line)
