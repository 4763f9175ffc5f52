"""``grouper status``: the runs of a lake."""

from __future__ import annotations

import json
from pathlib import Path

import click

from grouper.commands.options.shared import BilingualCommand, both, emit, lang_option, language, option


@click.command(
    cls=BilingualCommand,
    help=both(
        "列出结算湖中的运行：期间、状态、病例、退回、转调整行、应付基金、政策、操作人；有效的运行标 *。"
        "有草稿、审批或拨付登记时，再列各期状态和经办人。\n\n示例：grouper status 结算湖",
        "List the runs of a lake: period, state, cases, rejected rows, rows that became adjustments, fund "
        "due, policy, who; valid runs have a *. Where there are drafts, approvals or payments, the state "
        "of each period follows, with who did what.\n\nExample: grouper status LAKE",
    ),
)
@click.argument("lake", type=click.Path(file_okay=False))
@option("--json", "as_json", is_flag=True, help=both("以 JSON 输出", "Write JSON"))
@lang_option
def status(lake: str, as_json: bool) -> None:
    from grouper.commands.text.ledger import run_lines
    from grouper.commands.text.objections import count_lines
    from grouper.commands.text.states import option_lines, state_lines
    from grouper.lake import Lake
    from grouper.lake.steps import SETTLED, entries
    from grouper.settlement.objections import counts
    from grouper.settlement.show import runs
    from grouper.settlement.states import options_of, states_of

    place = Lake(Path(lake))
    rows = runs(place)
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    emit(run_lines(rows, language()))
    found = entries(place)
    if any(entry.draft or entry.kind not in SETTLED for entry in found):
        emit(state_lines(states_of(found), language()))
        emit(option_lines(options_of(found), language()))
        emit(count_lines(counts(place), language()))
