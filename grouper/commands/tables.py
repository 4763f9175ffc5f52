"""``grouper tables``: list, show, verify, compare, import and export rule tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from grouper.base.errors import EXIT_DATA, GrouperError, UsageError
from grouper.base.findings import Finding, has_errors
from grouper.commands.options.shared import (
    DATE,
    BilingualGroup,
    both,
    day,
    emit,
    emit_json,
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
    refuse_existing,
    report,
)
from grouper.grouping.drg.tables import store
from grouper.grouping.locate import Located, locate

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
    from grouper.grouping.dip.tables import listing as dip
    from grouper.grouping.drg.tables.listing import schemes

    drg_rows, dip_rows = schemes(), dip.schemes()
    if as_json:
        emit_json([{"kind": "drg", **row} for row in drg_rows] + [{"kind": "dip", **row} for row in dip_rows])
        return
    header = {
        "id": "id",
        "area": "area",
        "base": "base",
        "valid_from": "from",
        "valid_to": "to",
        "mdc": "MDC",
        "adrg": "ADRG",
        "drg": "DRG",
        "ambiguous": "QY",
        "region": "region",
    }
    _table(header, drg_rows)
    click.echo()
    kept = {key: header[key] for key in ("id", "area", "base", "valid_from", "valid_to")}
    _table({**kept, "entries": "DIP", "region": "region"}, dip_rows)


def _table(header: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    widths = {key: max(len(str(row[key])) for row in [header, *rows]) for key in header}
    for row in [header, *rows]:
        click.echo("  ".join(str(row[key]).ljust(widths[key]) for key in header).rstrip())


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
@option("--drg", help=both("一个细分组", "One DRG"))
@option("--list", "code_list", help=both("一个编码集合", "One code list"))
@option("--code", help=both("一个诊断或手术操作编码", "One diagnosis or procedure code"))
@date_option
def show(scheme: str, when: datetime | None, **parts: str | None) -> None:
    from grouper.grouping.dip.tables import catalogue
    from grouper.grouping.dip.tables import listing as dip
    from grouper.grouping.drg.tables.listing import View

    chosen = [(name, value) for name, value in parts.items() if value]
    if len(chosen) > 1:
        raise UsageError(
            zh="--mdc、--adrg、--drg、--list、--code 只能用一个",
            en="use only one of --mdc, --adrg, --drg, --list, --code",
        )
    located = locate(scheme, day(when))
    if located.kind == "dip":
        if chosen and chosen[0][0] != "code":
            raise UsageError(
                zh="DIP 目录只能用 --code 查看其中的条目", en="of a DIP catalogue only --code can be shown"
            )
        found = catalogue.load(located.folder)
        lines = dip.code_lines(found, chosen[0][1], language()) if chosen else dip.overview(found, language())
        emit(lines)
        return
    view = View(store.load(located.folder), icd_names(), language())
    emit(getattr(view, chosen[0][0])(chosen[0][1]) if chosen else view.overview())


@command(
    "diff",
    "用文字说明方案 B 相对于方案 A 改了什么。\n\n示例：grouper tables diff chs-drg-2.0 guangxi-2024",
    "Say in words what scheme B changes against scheme A.\n\n"
    "Example: grouper tables diff chs-drg-2.0 guangxi-2024",
)
@click.argument("a")
@click.argument("b")
@date_option
@json_option
def diff_command(a: str, b: str, when: datetime | None, as_json: bool) -> None:
    old, new = locate(a, day(when)), locate(b, day(when))
    if old.kind != new.kind:
        raise UsageError(
            zh=f"{a} 和 {b} 一个是 DRG 方案，一个是 DIP 目录，不能比较",
            en=f"{a} and {b} cannot be compared: one is a DRG scheme, the other a DIP catalogue",
        )
    changes, lines = _changes(old, new)
    if as_json:
        emit_json([change.as_dict() for change in changes])
    elif changes:
        emit(lines())
    else:
        say("没有差别", "no difference", err=False)


def _changes(old: Located, new: Located) -> tuple[list[Any], Callable[[], list[str]]]:
    """The changes between two schemes of one kind, and how to put them in words."""
    if old.kind == "dip":
        from grouper.grouping.dip.tables import catalogue
        from grouper.grouping.dip.tables import diff as dip

        found = dip.diff(catalogue.load(old.folder), catalogue.load(new.folder))
        return found, lambda: dip.in_words(found, language())
    from grouper.grouping.drg.tables import diff as drg

    changes = drg.diff(store.load(old.folder), store.load(new.folder))
    return changes, lambda: drg.in_words(changes, icd_names(), language())


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
    from grouper.grouping.dip.tables import catalogue
    from grouper.grouping.drg.tables.verify import verify_named, verify_shipped

    named = [locate(name) for name in schemes]
    findings = verify_named([n.folder for n in named if n.kind == "drg"]) if schemes else verify_shipped()
    shipped = [Located("dip", folder) for folder in catalogue.scheme_folders().values()]
    for found in named or shipped:
        findings += _verify_dip(found.folder) if found.kind == "dip" else []
    if as_json:
        emit_json([finding.as_dict() for finding in findings])
    else:
        report(findings, all_details)
    if has_errors(findings):
        sys.exit(EXIT_DATA)


def _verify_dip(folder: Path) -> list[Finding]:
    """What cannot be read, and what is odd but legal."""
    from grouper.grouping.dip.tables import catalogue
    from grouper.grouping.dip.tables import listing as dip
    from grouper.grouping.dip.tables.anomalies import anomalies

    findings = dip.verify(folder)
    try:
        return [*findings, *anomalies(catalogue.load(folder))]
    except GrouperError:  # said already
        return findings


# --- import and export ----------------------------------------------------------------------


@command(
    "export",
    "把方案导出为工作簿（.xlsx）或 CSV 目录，可原样导回。\n\n"
    "示例：grouper tables export zhejiang-2022 浙江.xlsx",
    "Export a scheme as a workbook (.xlsx) or a folder of CSV files, from which it can be imported "
    "without loss.\n\n"
    "Example: grouper tables export zhejiang-2022 zhejiang.xlsx",
)
@click.argument("scheme")
@click.argument("target", type=PATH)
@date_option
@option("--force", is_flag=True, help=both("覆盖已有文件", "Replace what is there"))
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
    type=click.Choice(["workbook", "list", "dip"]),
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
@option("--force", is_flag=True, help=both("覆盖已有目录", "Replace what is there"))
def import_command(source: Path, output: Path, kind: str | None, force: bool, **given: Any) -> None:
    refuse_existing(output, force, "scheme.toml")
    import_scheme(source, output, kind or kind_of(source, given), given)
