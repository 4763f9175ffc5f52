"""``grouper audit``: is a lake what its ledger says?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grouper.base.errors import EXIT_RECONCILIATION, UsageError
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option, say

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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
@option(
    "--expect",
    default="",
    metavar="HASH",
    help=both(
        "链头或以前的链头（全部 64 位或至少前 12 位），或对账单上的链印；链中没有则不符",
        "Head of the chain, an earlier head, or the seal on a statement (64 digits, or at least the "
        "first 12); it must be of this chain",
    ),
)
@option(
    "--signature",
    type=FILE,
    metavar="FILE",
    help=both(
        "grouper lake sign 写的签名，与 --public-key 同用",
        "Signature of grouper lake sign; with --public-key",
    ),
)
@option("--public-key", type=FILE, metavar="FILE", help=both("签名者的公钥", "Public key of who signed"))
@lang_option
def audit(
    lake: str, replays: tuple[str, ...], expect: str, signature: Path | None, public_key: Path | None
) -> None:
    from grouper.commands.text.ledger import audit_lines, replay_lines
    from grouper.lake import Lake
    from grouper.lake.sign import verify
    from grouper.settlement import audit as library
    from grouper.settlement.replay import replay

    place = Lake(Path(lake))
    expected = [expect] if expect else []
    if bool(signature) != bool(public_key):
        raise UsageError(
            zh="--signature 与 --public-key 须同时给出", en="--signature and --public-key go together"
        )
    if signature and public_key:
        signed = verify(signature, public_key)
        say(f"签名有效：运行 {signed.run}，链头 {signed.head}",
            f"the signature is good: run {signed.run}, chain head {signed.head}", err=False)  # fmt: skip
        expected.append(signed.head)
    done = library.audit(place, expect=expected)
    for line in audit_lines(done, language()):
        click.echo(line)
    again = [replay(place, run.zfill(6)) for run in replays]
    for line in replay_lines(again, language()):
        click.echo(line)
    if done.findings or not all(item.same for item in again):
        sys.exit(EXIT_RECONCILIATION)
