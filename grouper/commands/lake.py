"""``grouper lake``: what a lake asks of its settlements; make it whole again; sign what it has."""

from __future__ import annotations

from pathlib import Path

import click

from grouper.commands.options.settling import step_options
from grouper.commands.options.shared import (
    BilingualGroup,
    both,
    emit,
    lang_option,
    language,
    option,
    say,
    subcommands,
)

PATH = click.Path(path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(
    cls=BilingualGroup,
    help=both(
        "设定结算湖的审批要求；修复结算湖；导出快照；为它的链头签名。\n\n示例：grouper lake repair 结算湖",
        "Set what a lake asks of its settlements, repair it, export a snapshot, and sign the head of its "
        "chain.\n\n"
        "Example: grouper lake repair LAKE",
    ),
)
@lang_option
def lake() -> None:
    pass


command = subcommands(lake)


@command(
    "repair",
    "由各运行在 chain/ 中的记录重建缺失、过旧或损坏的账本，把不属于任何运行的文件移到 set-aside/（附清单）。"
    "不会删除任何文件。先显示计划；加 --do 才执行。无法证明的内容会逐项说明。\n\n"
    "示例：grouper lake repair 结算湖 --do",
    "Make a ledger that is missing, older than the data or damaged again, from the records of the runs in "
    "chain/, and move files that no run owns to set-aside/, with a list. Nothing is deleted. The plan is "
    "shown; --do carries it out. What cannot be proven is told.\n\nExample: grouper lake repair LAKE --do",
)
@click.argument("lake", type=FOLDER)
@option("--do", is_flag=True, help=both("执行计划", "Carry the plan out"))
def repair(lake: Path, do: bool) -> None:
    from grouper.commands.text.lake import plan_lines
    from grouper.lake import Lake
    from grouper.lake.repair import repair as library

    emit(plan_lines(library(Lake(lake), do=do), do, language()))


@command(
    "set",
    "设定结算湖的要求，记入账本的链（湖不存在则新建）：--two-persons 结算与审批须为两人；--approval 只有"
    "经审批的草稿有效，结算须加 --draft。\n\n"
    "示例：grouper lake set 结算湖 --two-persons --approval --who 李强",
    "Set what a lake asks of its settlements, as an entry of its chain (a lake that is not there is made): "
    "--two-persons, settled by one and approved by another; --approval, only approved drafts count and "
    'settle needs --draft.\n\nExample: grouper lake set LAKE --two-persons --approval --who "Li"',
)
@click.argument("lake", type=FOLDER)
@option(
    "--two-persons/--no-two-persons",
    default=None,
    help=both("结算与审批须为两人", "One settles, another approves"),
)
@option(
    "--approval/--no-approval",
    default=None,
    help=both("只有经审批的草稿有效", "Only drafts that were approved count"),
)
@step_options
def set_(lake: Path, two_persons: bool | None, approval: bool | None, who: str, when: str, note: str) -> None:
    from grouper.commands.text.states import option_lines
    from grouper.lake import Lake
    from grouper.settlement.states import set_options

    made = set_options(Lake(lake), who=who, when=when, note=note, two_persons=two_persons, approval=approval)
    emit(option_lines(made, language()))


@command(
    "export",
    "把湖中今天有效的数据导出为普通 Parquet 快照：每张表一种结构，附名称表、views.sql 与 README。"
    "目录中若有非本程序生成或改动过的文件则拒绝；自己生成的旧快照会被替换。\n\n"
    "示例：grouper lake export 结算湖 -o 快照",
    "Write what counts in a lake today as plain Parquet: one schema a table, with tables of names, views.sql "
    "and a README. A folder with anything that this program did not make is refused; an older own snapshot "
    "is replaced.\n\nExample: grouper lake export LAKE -o snapshot",
)
@click.argument("lake", type=FOLDER)
@option(
    "-o", "--output", "path", required=True, type=FOLDER, metavar="FOLDER",
    help=both("快照目录", "Folder of the snapshot"),
)  # fmt: skip
def export(lake: Path, path: Path) -> None:
    from grouper.lake import Lake
    from grouper.research.snapshot import export as library

    made = library(Lake(lake), path)
    say(f"已写出 {made.folder}：{made.files} 个文件，有效病例 {made.rows['cases']:,} 例",
        f"written to {made.folder}: {made.files} files, {made.rows['cases']:,} cases as they stand",
        err=False)  # fmt: skip


@command(
    "keygen",
    "生成 Ed25519 密钥对：私钥（仅本人可读）与公钥（加后缀 .pub）。\n\n示例：grouper lake keygen -o 结算.key",
    "Make a pair of Ed25519 keys: the private one, which only its owner may read, and the public one with "
    ".pub added to its name.\n\nExample: grouper lake keygen -o settlement.key",
)
@option(
    "-o", "--output", "path", required=True, type=PATH, metavar="FILE",
    help=both("私钥文件，不能已存在", "File of the private key; it must not be there yet"),
)  # fmt: skip
def keygen(path: Path) -> None:
    from grouper.lake.sign import keygen as library

    public = library(path)
    say(f"私钥 {path}（请妥善保管）；公钥 {public}（可公开）",
        f"private key {path} (keep it safe); public key {public} (for everybody)")  # fmt: skip


@command(
    "sign",
    "用私钥为结算湖的链头签名，写成独立的签名文件。请把它与链头交给湖以外的人保存。\n\n"
    "示例：grouper lake sign 结算湖 --key 结算.key -o 2025-06.sig",
    "Sign the head of a lake's chain with a private key, into a file of its own. Give that file and the head "
    "to somebody outside.\n\nExample: grouper lake sign LAKE --key settlement.key -o 2025-06.sig",
)
@click.argument("lake", type=FOLDER)
@option("--key", required=True, type=FILE, metavar="FILE", help=both("私钥", "Private key"))
@option(
    "-o", "--output", "path", type=PATH, metavar="FILE",
    help=both("签名文件（默认 湖.运行号.sig，在湖的旁边）",
              "File of the signature (default: LAKE.RUN.sig beside the lake)"),
)  # fmt: skip
def sign(lake: Path, key: Path, path: Path | None) -> None:
    from grouper.commands.text.lake import head_line
    from grouper.lake import Lake
    from grouper.lake.sign import sign as library

    signed, written = library(Lake(lake), key, path)
    click.echo(head_line(signed.head, signed.run, language()))
    say(f"签名 {written}", f"signature {written}")
