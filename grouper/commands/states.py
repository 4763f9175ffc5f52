"""``grouper review``, ``approve``, ``reject``: a draft on its way to a settlement that counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from grouper.commands.options.settling import area_option, step_options
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option

LAKE = click.Path(file_okay=False, path_type=Path)


def _command(name: str, zh: str, en: str) -> Callable[..., click.Command]:
    def decorate(function: Callable[..., None]) -> click.Command:
        made: Any = function
        for one in (lang_option, step_options, area_option):
            made = one(made)
        made = click.argument("target", metavar="RUN|MONTH")(made)
        made = click.argument("lake", type=LAKE)(made)
        return click.command(name, cls=BilingualCommand, help=both(zh, en))(made)

    return decorate


def _do(step: str, lake: Path, target: str, **said: str) -> None:
    """Take a step of ``grouper.settlement.states`` and say what the run is now."""
    from grouper.commands.text.states import step_line
    from grouper.lake import Lake
    from grouper.settlement import states

    steps: dict[str, Callable[..., Any]] = {
        "review": states.review,
        "approve": states.approve,
        "reject": states.reject,
    }
    click.echo(step_line(steps[step](Lake(lake), target, **said), language()))


@_command(
    "review",
    "复核一份草稿（settle --draft）：记入账本的链，状态变为“已复核，待审批”。\n\n"
    "示例：grouper review 结算湖 2025-06 --who 王芳 --note 已核对各院明细",
    "Say that a draft (settle --draft) was reviewed: an entry of the ledger's chain.\n\n"
    'Example: grouper review LAKE 2025-06 --who "Wang" --note "checked against the lists"',
)
def review(lake: Path, target: str, area: str, who: str, when: str, note: str) -> None:
    _do("review", lake, target, who=who, when=when, note=note, area=area)


@_command(
    "approve",
    "审批一份草稿：自此有效，其后各月以它为准。湖要求两人时，审批人不能是结算人。\n\n"
    "示例：grouper approve 结算湖 2025-06 --who 李强",
    "Approve a draft: from here on it counts, and later months build on it. Where the lake requires two "
    'persons, who settled it cannot.\n\nExample: grouper approve LAKE 2025-06 --who "Li"',
)
def approve(lake: Path, target: str, area: str, who: str, when: str, note: str) -> None:
    _do("approve", lake, target, who=who, when=when, note=note, area=area)


@_command(
    "reject",
    "退回一份草稿，写明原因；该期须重新结算。\n\n"
    "示例：grouper reject 结算湖 2025-06 --who 李强 --reason 乙医院清单不全",
    "Reject a draft, with the reason; its period must be settled again.\n\n"
    'Example: grouper reject LAKE 2025-06 --who "Li" --reason "lists of hospital B are not whole"',
)
@option("--reason", required=True, metavar="TEXT", help=both("退回原因", "Why"))
def reject(lake: Path, target: str, area: str, who: str, when: str, note: str, reason: str) -> None:
    _do("reject", lake, target, who=who, when=when, note=note, reason=reason, area=area)
