"""``grouper tables``: list, show, verify, compare, import and export rule tables."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from grouper.commands.shared import BilingualCommand, BilingualGroup, both, lang_option, language, option, say
from grouper.errors import EXIT_DATA, UsageError
from grouper.schemes import store
from grouper.schemes.findings import SEVERITIES, SEVERITY_ZH, Finding, count_by_severity, has_errors
from grouper.schemes.model import Scheme

DATE = click.DateTime(["%Y-%m-%d"])
PATH = click.Path(path_type=Path)
SHOWN = 20  # codes listed after a finding without --all


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


def command(name: str, zh: str, en: str) -> Callable[..., Any]:
    """A subcommand with a help text in two languages, and ``--lang``."""

    def decorate(function: Callable[..., None]) -> click.Command:
        return tables.command(name, cls=BilingualCommand, help=both(zh, en))(lang_option(function))

    return decorate


date_option = option(
    "--date",
    "when",
    type=DATE,
    help=both("按地区名选方案时的出院日期", "Day of discharge, to choose among the editions of an area"),
)
json_option = option("--json", "as_json", is_flag=True, help=both("以 JSON 输出", "Write JSON"))


def emit(lines: Iterator[str] | Sequence[str]) -> None:
    """Lines on stdout."""
    for line in lines:
        click.echo(line)


def emit_json(data: Any) -> None:
    """Data on stdout as JSON."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=1))


def day(when: datetime | None) -> date | None:
    return when.date() if when else None


def icd_names() -> dict[str, str]:
    """Name of every ICD code."""
    from grouper import icd

    return {**icd.diagnoses(), **icd.procedures()}


# --- looking --------------------------------------------------------------------------------


@command(
    "list",
    "列出随附的分组方案：地区、基础方案、适用日期、MDC/ADRG/DRG 数。\n\n示例：grouper tables list --json",
    "List the shipped schemes: area, base, validity, numbers of MDC, ADRG and DRG.\n\n"
    "Example: grouper tables list --json",
)
@json_option
def list_command(as_json: bool) -> None:
    from grouper.dip import listing as dip
    from grouper.schemes.listing import schemes

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
    from grouper.dip import catalogue
    from grouper.dip import listing as dip
    from grouper.schemes.listing import View

    chosen = [(name, value) for name, value in parts.items() if value]
    if len(chosen) > 1:
        raise UsageError(
            zh="--mdc、--adrg、--drg、--list、--code 只能用一个",
            en="use only one of --mdc, --adrg, --drg, --list, --code",
        )
    if catalogue.find(scheme, day(when)):
        if chosen and chosen[0][0] != "code":
            raise UsageError(
                zh="DIP 目录只能用 --code 查看其中的条目", en="of a DIP catalogue only --code can be shown"
            )
        found = catalogue.load(scheme, day(when))
        lines = dip.code_lines(found, chosen[0][1], language()) if chosen else dip.overview(found, language())
        emit(lines)
        return
    view = View(store.load(scheme, day(when)), icd_names(), language())
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
    from grouper.schemes.diff import diff, in_words

    changes = diff(store.load(a, day(when)), store.load(b, day(when)))
    if as_json:
        emit_json([change.as_dict() for change in changes])
    elif changes:
        emit(in_words(changes, icd_names(), language()))
    else:
        say("没有差别", "no difference", err=False)


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
    from grouper.dip import catalogue
    from grouper.dip import listing as dip
    from grouper.schemes.verify import verify_named, verify_shipped

    dip_folders = [found for name in schemes if (found := catalogue.find(name))]
    folders = [store.find(name) for name in schemes if not catalogue.find(name)]
    findings = verify_named(folders) if schemes else verify_shipped()
    for folder in dip_folders if schemes else catalogue.scheme_folders().values():
        findings += dip.verify(folder)
    if as_json:
        emit_json([finding.as_dict() for finding in findings])
    else:
        report(findings, all_details)
    if has_errors(findings):
        sys.exit(EXIT_DATA)


def report(findings: Sequence[Finding], all_details: bool) -> None:
    """The findings on stdout, the worst first, and their numbers on stderr."""
    for severity in SEVERITIES if all_details else SEVERITIES[:2]:
        for finding in findings:
            if finding.severity == severity:
                click.echo(finding.text(language()))
                if all_details and len(finding.details) > 1:
                    click.echo("  " + " ".join(finding.details))
    counts = count_by_severity(findings)
    say(
        "，".join(f"{SEVERITY_ZH[key]} {number}" for key, number in counts.items()),
        ", ".join(f"{key} {number}" for key, number in counts.items()),
    )


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
    from grouper.schemes.layout import export_book
    from grouper.schemes.sheets import write_book

    _refuse_existing(target, force)
    book = export_book(store.load(scheme, day(when)), icd_names())
    write_book(book, target, "xlsx" if target.suffix.lower() == ".xlsx" else "csv")
    say(f"已写出 {target}", f"wrote {target}")


def _refuse_existing(target: Path, force: bool, mark: str = "") -> None:
    """With ``force`` a folder is replaced only when it holds ``mark``: it is what we would write."""
    folder = target.is_dir()
    there = any(target.iterdir()) if folder else target.exists()
    if there and force and folder and mark and not (target / mark).is_file():
        raise UsageError(
            zh=f"{target} 不是方案目录，不会覆盖；请换一个路径",
            en=f"{target} is not a scheme folder and will not be replaced: choose another path",
        )
    if there and not force:
        raise UsageError(
            zh=f"{target} 已存在；用 --force 覆盖，或换一个路径",
            en=f"{target} exists; --force replaces it, or choose another path",
        )


@command(
    "import",
    "从工作簿（CHS-DRG 3.0 样式）或分组目录（编码、名称、权重）建立方案目录。分组目录需要 --base。\n\n"
    "示例：grouper tables import 目录.xlsx --base chs-drg-2.0 -o my-city --id my-city --name 某市 "
    "--area my-city",
    "Make a scheme folder from a workbook (in the style of CHS-DRG 3.0) or from a list of groups "
    "(code, name, weight). A list needs --base.\n\n"
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
    type=click.Choice(["workbook", "list"]),
    help=both("来源是工作簿还是分组目录（默认按内容判断）", "What SOURCE is (default: by its sheets)"),
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
@option("--force", is_flag=True, help=both("覆盖已有目录", "Replace what is there"))
def import_command(
    source: Path, output: Path, base: str | None, kind: str | None, force: bool, **given: Any
) -> None:
    from grouper.schemes.layout import is_workbook
    from grouper.schemes.sheets import read_book

    _refuse_existing(output, force, "scheme.toml")
    under = store.load(base) if base else None
    kind = kind or ("workbook" if is_workbook(read_book(source)) else "list")
    meta = _meta(given, source, under)
    if kind == "workbook":
        _import_workbook(source, output, meta, under)
    elif under is None:
        raise UsageError(
            zh=f"{source} 是分组目录，需要用 --base 指定基础方案（若是工作簿，用 --as workbook）",
            en=f"{source} is a list of groups and needs --base (if it is a workbook, use --as workbook)",
        )
    else:
        _import_list(source, output, meta, under, given)


def _meta(given: dict[str, Any], source: Path, base: Scheme | None) -> dict[str, Any]:
    meta = {
        "id": given["scheme_id"],
        "name": given["name"],
        "kind": "drg",
        "area": given["area"],
        "region": given["region"],
        "base": base.id if base else None,
        "valid_from": day(given["valid_from"]),
        "valid_to": day(given["valid_to"]),
        "validity_verified": False,
        "sources": [f"grouper tables import {source.name}"],
        "editions": dict(base.meta.get("editions", {}))
        if base
        else {"icd10": "insurance-2.0", "icd9cm3": "insurance-2.0"},
    }
    return {key: value for key, value in meta.items() if value is not None}


def _import_workbook(source: Path, output: Path, meta: dict[str, Any], base: Scheme | None) -> None:
    from grouper.schemes.workbook import import_workbook

    scheme, findings = import_workbook(source, meta, base)
    report(findings, True)
    if scheme is None:
        say("有错误，未写出任何文件", "there are errors: nothing was written")
        sys.exit(EXIT_DATA)
    write_scheme(scheme, output, base)


def _import_list(
    source: Path, output: Path, meta: dict[str, Any], base: Scheme, given: dict[str, Any]
) -> None:
    from grouper.schemes.fourth import read_fourth
    from grouper.schemes.grouplist import import_list, report_text, weights_text

    headers = {"code": given["code"], "name": given["name_column"], "weight": given["weight"]}
    result = import_list(
        source,
        meta,
        base,
        columns={key: header for key, header in headers.items() if header},
        fourth=read_fourth(given["fourth"]) if given["fourth"] else {},
        keep_missing=given["keep_missing"],
    )
    report(result.findings, True)
    undecided = result.undecided()
    if result.scheme is None:
        say("有错误，未写出任何文件", "there are errors: nothing was written")
        sys.exit(EXIT_DATA)
    if undecided and not given["allow_undecided"]:
        number = len(undecided)
        say(
            f"{number} 个组的条件无法确定，未写出任何文件；"
            "用 --fourth 给出条件，或用 --allow-undecided 略去它们",
            f"{number} groups have no condition: nothing was written; give conditions with --fourth, "
            "or leave the groups out with --allow-undecided",
        )
        sys.exit(EXIT_DATA)
    extra = {"weights.csv": weights_text(result.weights)} if result.weights else {}
    if undecided:
        extra["report.csv"] = report_text(result.findings)
    write_scheme(result.scheme, output, base, extra)


def write_scheme(
    scheme: Scheme, output: Path, base: Scheme | None, extra: dict[str, str] | None = None
) -> None:
    """Write a scheme folder whole or not at all, and say what verification finds in it.

    ``extra`` holds further files. Raises TableError when the folder would not load.
    """
    from grouper.schemes.verify import verify

    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=output.parent, prefix=".import-"))  # beside: a base may stand there
    try:
        folder.chmod(0o755)
        store.save(scheme, folder, base)
        for name, text in (extra or {}).items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        store.load_folder(folder)
        if output.exists():
            shutil.rmtree(output)
        folder.rename(output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    counts = count_by_severity(verify(output))
    errors, warnings = counts["error"], counts["warning"]
    say(
        f"已写出 {output}；核对：错误 {errors}，警告 {warnings}（grouper tables verify {output}）",
        f"wrote {output}; verified: {errors} errors, {warnings} warnings (grouper tables verify {output})",
    )
