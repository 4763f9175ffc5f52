"""What ``grouper tables import`` and ``export`` do, one source and one kind of scheme at a time."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from grouper.base.errors import EXIT_DATA, UsageError
from grouper.base.findings import SEVERITIES, SEVERITY_ZH, Finding, count_by_severity
from grouper.base.toml_in import read_toml
from grouper.commands.options.shared import day, language, say
from grouper.grouping.drg.tables import store
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.locate import Located, locate


def icd_names() -> dict[str, str]:
    """Name of every ICD code."""
    from grouper.codes import icd

    return {**icd.diagnoses(), **icd.procedures_of(icd.EDITIONS[-1])}


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


def refuse_existing(target: Path, force: bool, mark: str = "") -> None:
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


# --- export -------------------------------------------------------------------------------------


def export_scheme(found: Located, target: Path) -> None:
    """The sheets of a DRG or DIP scheme as a workbook, or as a folder of CSV files."""
    from grouper.grouping.tables.sheets import write_book

    form = target.suffix.lower()
    if form == ".csv" and found.kind == "dip":
        raise UsageError(
            zh=f"CSV 导出为含两个文件的文件夹；请给出不带 .csv 的名称，例如 {target.with_suffix('')}",
            en=f"CSV is written as a folder of two files; name it without .csv: {target.with_suffix('')}",
        )
    write_book(_book(found), target, "xlsx" if form == ".xlsx" else "csv")


def _book(found: Located) -> Any:
    if found.kind == "drg":
        from grouper.grouping.drg.tables.layout import export_book

        return export_book(store.load(found.folder), icd_names())
    from grouper.grouping.dip.tables import catalogue
    from grouper.grouping.dip.tables.layout import export_catalogue

    whole = catalogue.load(found.folder)
    folders, base = [found.folder], whole.meta.get("base")
    while base:
        folders.append(locate(str(_beside(folders[-1], base))).folder)
        base = store.read_meta(folders[-1]).get("base")
    return export_catalogue(whole, folders)


def _beside(folder: Path, base: str) -> Path | str:
    """A base stands beside its overlay, or is a shipped one."""
    return folder.parent / base if (folder.parent / base / "catalogue.csv").is_file() else base


# --- import -------------------------------------------------------------------------------------


def kind_of(source: Path, given: Mapping[str, Any]) -> str:
    """What SOURCE is, by its sheets: a DRG workbook, a list of DRGs, or a DIP catalogue."""
    from grouper.grouping.dip.tables.layout import is_catalogue
    from grouper.grouping.dip.tables.national_layout import is_national
    from grouper.grouping.drg.tables.layout import is_workbook
    from grouper.grouping.tables.sheets import read_book

    book = read_book(source)
    if given["column_map"] or is_national(book) or (is_catalogue(book) and not is_workbook(book)):
        return "dip"
    return "workbook" if is_workbook(book) else "list"


def import_scheme(source: Path, output: Path, kind: str, given: Mapping[str, Any]) -> None:
    """Write the scheme of SOURCE as a folder, or say what is wrong with it and exit with 2."""
    if kind == "dip":
        import_dip(source, output, given)
        return
    _refuse_options(given, ("sheet", "column_map", "options_file", "round_numbers"), kind)
    under = store.load(given["base"]) if given["base"] else None
    meta = _meta(given, source, "drg", under.id if under else None, under.meta if under else {})
    if kind == "workbook":
        _import_workbook(source, output, meta, under)
    elif under is None:
        raise UsageError(
            zh=f"{source} 是分组目录，需要用 --base 指定基础方案（若是工作簿，用 --as workbook）",
            en=f"{source} is a list of groups and needs --base (if it is a workbook, use --as workbook)",
        )
    else:
        _import_list(source, output, meta, under, given)


_FLAGS = {
    "sheet": "--sheet",
    "column_map": "--columns",
    "options_file": "--options",
    "round_numbers": "--round",
    "code": "--code-column",
    "name_column": "--name-column",
    "weight": "--weight-column",
    "fourth": "--fourth",
    "keep_missing": "--keep-missing",
    "allow_undecided": "--allow-undecided",
}


def _refuse_options(given: Mapping[str, Any], names: Sequence[str], kind: str) -> None:
    """Options that mean nothing for a kind of source are refused, not passed over."""
    used = [_FLAGS[name] for name in names if given[name]]
    if used:
        raise UsageError(zh=f"{used[0]} 不适用于 --as {kind}", en=f"{used[0]} means nothing with --as {kind}")


def import_dip(source: Path, output: Path, given: Mapping[str, Any]) -> None:
    """A DIP catalogue sheet as a folder that ``group`` takes."""
    from grouper.grouping.dip.tables import catalogue
    from grouper.grouping.dip.tables import listing as dip
    from grouper.grouping.dip.tables.anomalies import anomalies
    from grouper.grouping.dip.tables.layout import load_sheet_map
    from grouper.grouping.dip.tables.national_layout import is_national
    from grouper.grouping.dip.tables.workbook import import_catalogue
    from grouper.grouping.tables.sheets import read_book

    _refuse_options(given, list(_FLAGS)[4:], "dip")
    if is_national(read_book(source)):
        _import_national(source, output, given)
        return
    under = catalogue.load(given["base"]) if given["base"] else None
    result = import_catalogue(
        source,
        _meta(given, source, "dip", given["base"], under.meta if under else {}),
        sheet=given["sheet"],
        columns=load_sheet_map(given["column_map"]) if given["column_map"] else None,
        options=_options_of(given["options_file"]) if given["options_file"] else None,
        base=under,
        round_numbers=given["round_numbers"],
    )
    report(result.findings, True)
    files = _or_exit(result.files)

    def fill(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        catalogue.load(folder)

    write_folder(output, fill, lambda: [*dip.verify(output), *anomalies(catalogue.load(output))])


def _import_national(source: Path, output: Path, given: Mapping[str, Any]) -> None:
    """The national DIP 3.0 workbook as a folder that ``group`` takes."""
    from grouper.grouping.dip.tables import catalogue
    from grouper.grouping.dip.tables import listing as dip
    from grouper.grouping.dip.tables.national import import_national

    used = [_FLAGS[name] for name in ("sheet", "column_map", "options_file", "round_numbers") if given[name]]
    if used or given["base"]:
        flag = (*used, "--base")[0]
        raise UsageError(
            zh=f"{source} 是国家 DIP 3.0 工作簿，{flag} 不适用",
            en=f"{source} is the national DIP 3.0 workbook: {flag} does not apply",
        )
    result = import_national(source, _meta(given, source, "dip", None, {}))
    report(result.findings, True)
    files = _or_exit(result.files)

    def fill(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        catalogue.load(folder)

    write_folder(output, fill, lambda: dip.verify(output))


def _options_of(path: Path) -> dict[str, Any]:
    """The options of a TOML file: its ``[options]``, or all of it."""
    document = read_toml(path, flag="--options")
    return dict(document.get("options", document))


def _or_exit(found: Any) -> Any:
    """``found``, or exit with 2 when there were errors."""
    if found is None:
        say("有错误，未写出任何文件", "there are errors: nothing was written")
        sys.exit(EXIT_DATA)
    return found


def _meta(
    given: Mapping[str, Any], source: Path, kind: str, base: str | None, base_meta: Mapping[str, Any]
) -> dict[str, Any]:
    meta = {
        "id": given["scheme_id"],
        "name": given["name"],
        "kind": kind,
        "area": given["area"],
        "region": given["region"],
        "base": base,
        "valid_from": day(given["valid_from"]),
        "valid_to": day(given["valid_to"]),
        "validity_verified": False,
        "sources": [f"grouper tables import {source.name}"],
        "editions": dict(base_meta.get("editions", {}))
        if base
        else {"icd10": "insurance-2.0", "icd9cm3": "insurance-2.0"},
    }
    return {key: value for key, value in meta.items() if value is not None}


def _import_workbook(source: Path, output: Path, meta: dict[str, Any], base: Scheme | None) -> None:
    from grouper.grouping.drg.tables.workbook import import_workbook

    scheme, findings = import_workbook(source, meta, base)
    report(findings, True)
    write_scheme(_or_exit(scheme), output, base)


def _import_list(
    source: Path, output: Path, meta: dict[str, Any], base: Scheme, given: Mapping[str, Any]
) -> None:
    from grouper.grouping.drg.tables.fourth import read_fourth
    from grouper.grouping.drg.tables.grouplist import import_list, report_text, weights_text

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
    scheme = _or_exit(result.scheme)
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
    write_scheme(scheme, output, base, extra)


def write_scheme(
    scheme: Scheme, output: Path, base: Scheme | None, extra: dict[str, str] | None = None
) -> None:
    """Write a scheme folder whole or not at all, and say what verification finds in it.

    ``extra`` holds further files. Raises TableError when the folder would not load.
    """
    from grouper.grouping.drg.tables.verify import verify

    def fill(folder: Path) -> None:
        store.save(scheme, folder, base)
        for name, text in (extra or {}).items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        store.load_folder(folder)

    write_folder(output, fill, lambda: verify(output))


def write_folder(output: Path, fill: Callable[[Path], None], check: Callable[[], Sequence[Finding]]) -> None:
    """Write a folder whole or not at all; ``check`` says what verification finds in it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=output.parent, prefix=".import-"))  # beside: a base may stand there
    try:
        folder.chmod(0o755)
        fill(folder)
        if output.exists():
            shutil.rmtree(output)
        folder.rename(output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    counts = count_by_severity(check())
    errors, warnings = counts["error"], counts["warning"]
    say(
        f"已写出 {output}；核对：错误 {errors}，警告 {warnings}（grouper tables verify {output}）",
        f"wrote {output}; verified: {errors} errors, {warnings} warnings (grouper tables verify {output})",
    )
