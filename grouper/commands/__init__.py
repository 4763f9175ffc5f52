"""The command line: a thin skin, every command is one library call."""

from __future__ import annotations

import importlib
from typing import Any

import click

from grouper.base.version import VERSION
from grouper.commands.options.shared import BilingualGroup, BilingualOption, both, lang_option, run

# Command name -> (module, attribute). Modules load when their command is called or listed,
# so that `grouper group --help` does not import what only `grouper tables` needs.
COMMANDS = {
    "group": ("grouper.commands.group", "group"),
    "explain": ("grouper.commands.explain", "explain"),
    "case": ("grouper.commands.case", "case"),
    "simulate": ("grouper.commands.simulate", "simulate"),
    "search": ("grouper.commands.search", "search"),
    "crosswalk": ("grouper.commands.crosswalk", "crosswalk"),
    "compare": ("grouper.commands.compare", "compare"),
    "policy": ("grouper.commands.policy", "policy"),
    "pay": ("grouper.commands.pay", "pay"),
    "capitation": ("grouper.commands.layers", "capitation"),
    "alliance": ("grouper.commands.layers", "alliance"),
    "settle": ("grouper.commands.settle", "settle"),
    "clear": ("grouper.commands.settle", "clear"),
    "resettle": ("grouper.commands.resettle", "resettle"),
    "review": ("grouper.commands.states", "review"),
    "approve": ("grouper.commands.states", "approve"),
    "reject": ("grouper.commands.states", "reject"),
    "pay-order": ("grouper.commands.payments", "pay_order"),
    "paid": ("grouper.commands.payments", "paid"),
    "status": ("grouper.commands.status", "status"),
    "statements": ("grouper.commands.objections", "statements"),
    "objections": ("grouper.commands.objections", "objections"),
    "reviews": ("grouper.commands.reviews", "reviews"),
    "statement": ("grouper.commands.statement", "statement"),
    "audit": ("grouper.commands.audit", "audit"),
    "lake": ("grouper.commands.lake", "lake"),
    "sql": ("grouper.commands.sql", "sql"),
    "columns": ("grouper.commands.columns", "columns"),
    "tables": ("grouper.commands.tables", "tables"),
    "weights": ("grouper.commands.weights", "weights"),
    "catalogue": ("grouper.commands.catalogue", "catalogue"),
    "coefficients": ("grouper.commands.coefficients", "coefficients"),
    "indices": ("grouper.commands.indices", "indices"),
    "check": ("grouper.commands.check", "check"),
    "watch": ("grouper.commands.watch", "watch"),
    "serve": ("grouper.commands.serve", "serve"),
    "synth": ("grouper.commands.synth", "synth"),
    "demo": ("grouper.commands.demo", "demo"),
}


class LazyGroup(BilingualGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> Any:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name]
        return getattr(importlib.import_module(module), attribute)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=both(
        "DRG/DIP 分组与医保支付计算。\n\n"
        "示例：grouper group 出院.parquet -o 分组.parquet --scheme chs-drg-2.0",
        "DRG and DIP grouping and payment for Chinese medical insurance.\n\n"
        "Example: grouper group discharges.parquet -o grouped.parquet --scheme chs-drg-2.0",
    ),
)
@lang_option
@click.version_option(
    VERSION, prog_name="grouper", help=both("显示版本", "Show the version"), cls=BilingualOption
)
def cli() -> None:
    pass


def main() -> None:
    """Entry point of the command ``grouper``."""
    run(cli)
