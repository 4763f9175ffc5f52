"""``grouper tables``: list, show, verify, compare, import and export rule tables."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from grouper.base.errors import EXIT_DATA, UsageError
from grouper.base.findings import has_errors
from grouper.base.whole import refuse_existing, write_text
from grouper.commands.options.shared import (
    DATE,
    BilingualGroup,
    both,
    day,
    emit,
    emit_json,
    in_language,
    json_option,
    lang_option,
    language,
    option,
    say,
    subcommands,
)
from grouper.commands.tables_import import (
    export_scheme,
    icd_names,
    import_scheme,
    kind_of,
    kinds,
    report,
)
from grouper.commands.text.aligned import aligned
from grouper.grouping.family import families
from grouper.grouping.locate import locate, shipped
from grouper.grouping.tables.change import Change
from grouper.grouping.tables.folders import is_shipped
from grouper.grouping.tables.manifest import check_manifest

PATH = click.Path(path_type=Path)


@click.group(
    cls=BilingualGroup,
    help=both(
        "查看、核对、比较、导入、导出分组方案。\n\n示例：grouper tables show chs-drg-2.0 --adrg BR1",
        "Look at, verify, compare, import and export grouping schemes.\n\n"
        "Example: grouper tables show chs-drg-2.0 --adrg BR1",
    ),
)
@lang_option
def tables() -> None:
    pass


command = subcommands(tables)
date_option = option(
    "--date",
    "when",
    type=DATE,
    help=both("按地区名选方案时的出院日期", "Day of discharge, to choose among the editions of an area"),
)


# --- looking --------------------------------------------------------------------------------


@command(
    "list",
    "列出随附的分组方案：地区、基础方案、适用日期、MDC/ADRG/DRG 数。\n\n示例：grouper tables list --json",
    "List the shipped schemes: area, base, validity, numbers of MDC, ADRG and DRG.\n\n"
    "Example: grouper tables list --json",
)
@json_option
def list_command(as_json: bool) -> None:
    rows = {each.KIND: (each.LISTED, each.listing()) for each in families()}
    if as_json:
        emit_json([{"kind": kind, **row} for kind, (_, listed) in rows.items() for row in listed])
        return
    for number, (header, listed) in enumerate(rows.values()):
        if number:
            click.echo()
        _table(header, listed)


def _table(header: Mapping[str, str], rows: Sequence[dict[str, Any]]) -> None:
    lang = language()
    heads = [in_language(_HEADS.get(text, text), lang) for text in header.values()]
    for line in aligned([heads, *([str(row[key]) for key in header] for row in rows)]):
        click.echo(line.rstrip())


_HEADS = {
    "id": both("方案", "id"),
    "area": both("地区", "area"),
    "base": both("基础方案", "base"),
    "from": both("起", "from"),
    "to": both("止", "to"),
    "region": both("地方", "region"),
}


@command(
    "show",
    "显示一个方案，或其中的一个 MDC、ADRG、DRG、编码集合或编码。\n\n"
    "示例：grouper tables show chs-drg-2.0 --code I63.900",
    "Show a scheme, or one MDC, ADRG, DRG, code list or code of it.\n\n"
    "Example: grouper tables show chs-drg-2.0 --code I63.900",
)
@click.argument("scheme")
@option("--mdc", help=both("一个主要诊断大类", "One major diagnostic category"))
@option("--adrg", help=both("一个核心组", "One ADRG"))
@option("--drg", help=both("一个细分组，或 DIP 的一个病种", "One DRG, or one packet of DIP"))
@option("--list", "code_list", help=both("一个编码集合", "One code list"))
@option("--code", help=both("一个诊断或手术操作编码", "One diagnosis or procedure code"))
@date_option
def show(scheme: str, when: datetime | None, **parts: str | None) -> None:
    chosen = [(name, value) for name, value in parts.items() if value]
    if len(chosen) > 1:
        raise UsageError(
            zh="--mdc、--adrg、--drg、--list、--code 只能用一个",
            en="use only one of --mdc, --adrg, --drg, --list, --code",
        )
    located = locate(scheme, day(when))
    family = located.family
    part, value = chosen[0] if chosen else ("", "")
    if part and part not in family.PARTS:
        flags = {name: "--list" if name == "code_list" else f"--{name}" for name in family.PARTS}
        zh, en = family.NAMES
        raise UsageError(
            zh=f"{zh}只能用 {'、'.join(flags.values())} 查看其中的条目",
            en=f"of a {en} only {', '.join(flags.values())} can be shown",
        )
    emit(family.show(located.load(), part, str(value), icd_names(), language()))


@command(
    "diff",
    "用文字说明方案 B 相对于方案 A 改了什么；-o 写成可打印的网页。\n\n"
    "示例：grouper tables diff chs-drg-2.0 chs-drg-3.0 -o 变化.html",
    "Say in words what scheme B changes against scheme A; -o writes a page that can be printed.\n\n"
    "Example: grouper tables diff chs-drg-2.0 chs-drg-3.0 -o changes.html",
)
@click.argument("a")
@click.argument("b")
@date_option
@option(
    "-o",
    "--output",
    type=PATH,
    help=both("写成一个网页文件（仅 DRG 方案）", "Write a page of HTML instead (DRG schemes only)"),
)
@option("--force", is_flag=True, help=both("覆盖已有文件", "Replace what is there"))
@json_option
def diff_command(
    a: str, b: str, when: datetime | None, output: Path | None, force: bool, as_json: bool
) -> None:
    old, new = locate(a, day(when)), locate(b, day(when))
    family = old.family
    if old.kind != new.kind:
        (zh_a, en_a), (zh_b, en_b) = family.NAMES, new.family.NAMES
        raise UsageError(
            zh=f"{a} 是 {zh_a}，{b} 是 {zh_b}，不能比较",
            en=f"{a} and {b} cannot be compared: one is a {en_a}, the other a {en_b}",
        )
    if output is not None:
        if as_json or not family.PAGE:
            raise UsageError(
                zh="-o 只用于 DRG 方案，且不能与 --json 同用",
                en="-o is for DRG schemes, and not together with --json",
            )
        refuse_existing(output, force)
    before, after = old.load(), new.load()
    changes = family.diff(before, after)
    if output is not None:
        _write_changes(before, after, changes, output)
    elif as_json:
        emit_json([change.as_dict() for change in changes])
    elif changes:
        emit(family.in_words(changes, icd_names(), language()))
    else:
        say("没有差别", "no difference", err=False)


def _write_changes(a: Any, b: Any, changes: Sequence[Change], output: Path) -> None:
    from grouper.report.scheme_changes import page

    write_text(output, page(a, b, changes, icd_names(), language()))
    say(f"已写出 {output}", f"wrote {output}")


@command(
    "verify",
    "核对方案：清单 SHA-256、引用、重复、无法到达的行、编码、数目；默认核对全部随附方案。"
    "有错误时退出码为 2。\n\n"
    "示例：grouper tables verify chs-drg-2.0 ./my-scheme",
    "Verify schemes: SHA-256 of the manifest, references, duplicates, rows out of reach, codes, counts; "
    "by default all shipped ones. Errors give exit code 2.\n\n"
    "Example: grouper tables verify chs-drg-2.0 ./my-scheme",
)
@click.argument("schemes", nargs=-1)
@option(
    "--all",
    "all_details",
    is_flag=True,
    help=both(
        "列出每条发现涉及的全部编码和说明级发现", "List every code that a finding counts, and the infos"
    ),
)
@json_option
def verify_command(schemes: tuple[str, ...], all_details: bool, as_json: bool) -> None:
    findings = [] if schemes else check_manifest()
    for found in [locate(name) for name in schemes] or shipped():
        if schemes and is_shipped(found.kind, found.folder):
            findings += check_manifest(under=f"{found.kind}/{found.folder.name}/")
        findings += found.family.verify(found.folder, beside=True)
    if as_json:
        emit_json([finding.as_dict() for finding in findings])
    else:
        report(findings, all_details)
    if has_errors(findings):
        sys.exit(EXIT_DATA)


# --- import and export ----------------------------------------------------------------------


@command(
    "export",
    "把方案导出为工作簿（.xlsx）或 CSV 目录，可原样导回。\n\n"
    "示例：grouper tables export zhejiang-2022 浙江.xlsx",
    "Export a scheme as a workbook (.xlsx) or a folder of CSV files, from which it can be imported "
    "without loss.\n\n"
    "Example: grouper tables export zhejiang-2022 zhejiang.xlsx",
    writes=("target",),
)
@click.argument("scheme")
@click.argument("target", type=PATH)
@date_option
@option(
    "--force",
    is_flag=True,
    help=both(
        "覆盖已有文件；目录仅限本程序写出且之后未改动的",
        "Replace a file, or a folder that this program wrote and nobody changed",
    ),
)
def export(scheme: str, target: Path, when: datetime | None, force: bool) -> None:
    refuse_existing(target, force)
    export_scheme(locate(scheme, day(when)), target)
    say(f"已写出 {target}", f"wrote {target}")


@command(
    "import",
    "建立方案目录：来源可以是工作簿（CHS-DRG 3.0 样式）、DRG 分组目录（编码、名称、权重；需要 --base）"
    "或 DIP 病种目录。\n\n"
    "示例：grouper tables import 目录.xlsx --base chs-drg-2.0 -o my-city --id my-city --name 某市 "
    "--area my-city",
    "Make a scheme folder from a workbook (in the style of CHS-DRG 3.0), from a list of DRGs "
    "(code, name, weight; needs --base), or from a DIP catalogue.\n\n"
    "Example: grouper tables import groups.xlsx --base chs-drg-2.0 -o my-city --id my-city "
    "--name 'My city' --area my-city",
)
@click.argument("source", type=PATH)
@option("-o", "--output", type=PATH, required=True, help=both("方案目录", "Scheme folder to write"))
@option("--id", "scheme_id", required=True, help=both("方案 id", "Id of the scheme"))
@option("--name", required=True, help=both("方案名称", "Name of the scheme"))
@option("--area", required=True, help=both("地区代号", "Area that the scheme is for"))
@option("--region", help=both("地区名称", "Name of the area in Chinese"))
@option(
    "--base", help=both("基础方案：写成叠加在它之上的差异", "Base scheme: write only what differs from it")
)
@option(
    "--as",
    "kind",
    type=click.Choice(kinds()),
    help=both(
        "来源是 DRG 工作簿、DRG 分组目录还是 DIP 目录（默认按内容判断）",
        "What SOURCE is (default: by its sheets)",
    ),
)
@option("--valid-from", type=DATE, help=both("适用起始日", "First day of validity"))
@option("--valid-to", type=DATE, help=both("适用截止日", "Last day of validity"))
@option("--code-column", "code", help=both("分组目录的编码列名", "Header of the code column of a list"))
@option("--name-column", "name_column", help=both("分组目录的名称列名", "Header of its name column"))
@option("--weight-column", "weight", help=both("分组目录的权重列名", "Header of its weight column"))
@option(
    "--fourth",
    type=PATH,
    help=both(
        "TOML 文件：第四位字符（或 ADRG 加字符）的条件和次序",
        "TOML file: condition and rank of a fourth character, or of ADRG and character",
    ),
)
@option(
    "--keep-missing",
    is_flag=True,
    help=both(
        "保留目录中没有的基础方案核心组和歧义组",
        "Keep the base's ADRGs and ambiguous groups that the list lacks",
    ),
)
@option(
    "--allow-undecided",
    is_flag=True,
    help=both(
        "有条件无法确定的组时仍写出，这些组没有行，并写 report.csv",
        "Write the scheme without the groups whose condition is undecided, and report.csv",
    ),
)
@option("--sheet", help=both("DIP 目录所在的工作表", "Sheet of a DIP catalogue"))
@option(
    "--columns",
    "column_map",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="MAP.toml",
    help=both(
        "DIP 目录的列映射：[columns] 列名，[kind]、[treatment] 用语",
        "Column map of a DIP catalogue: headers under [columns], words under [kind] and [treatment]",
    ),
)
@option(
    "--options",
    "options_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.toml",
    help=both(
        "DIP 分组选项（scheme.toml 的 [options]）", "Options of DIP grouping ([options] of a scheme.toml)"
    ),
)
@option(
    "--round",
    "round_numbers",
    is_flag=True,
    help=both(
        "分值和费用超过六位小数时四舍五入（默认报错）",
        "Round scores and costs to six decimals (default: refuse more)",
    ),
)
@option(
    "--force",
    is_flag=True,
    help=both(
        "覆盖已有目录（仅限本程序写出且之后未改动的）",
        "Replace a folder that this program wrote and nobody changed",
    ),
)
def import_command(source: Path, output: Path, kind: str | None, force: bool, **given: Any) -> None:
    refuse_existing(output, force, folder=True)
    import_scheme(source, output, kind or kind_of(source, given), given)
