"""What ``grouper tables import`` and ``export`` do, one source and one kind of scheme at a time."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from grouper.base.errors import EXIT_DATA, UsageError
from grouper.base.findings import SEVERITIES, SEVERITY_ZH, Finding, count_by_severity
from grouper.base.whole import whole_file, whole_folder
from grouper.commands.options.shared import day, language, say
from grouper.grouping.family import families
from grouper.grouping.locate import Located


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


# --- export -------------------------------------------------------------------------------------


def export_scheme(found: Located, target: Path) -> None:
    """The sheets of a scheme as a workbook, or as a folder of CSV files."""
    from grouper.grouping.tables.sheets import write_book

    form = target.suffix.lower()
    if form == ".csv" and found.family.SHEETS > 1:
        raise UsageError(
            zh=f"CSV 导出为含两个文件的文件夹；请给出不带 .csv 的名称，例如 {target.with_suffix('')}",
            en=f"CSV is written as a folder of two files; name it without .csv: {target.with_suffix('')}",
        )
    book = found.family.export(found.folder, icd_names())
    if form == ".xlsx":
        with whole_file(target) as part:
            write_book(book, part, "xlsx")
    else:
        with whole_folder(target) as folder:
            write_book(book, folder, "csv")


# --- import -------------------------------------------------------------------------------------

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


def kinds() -> list[str]:
    """What SOURCE may be, for ``--as``."""
    return [kind for each in families() for kind in each.SOURCES]


def kind_of(source: Path, given: Mapping[str, Any]) -> str:
    """What SOURCE is, by its sheets and the options given."""
    from grouper.grouping.tables.sheets import read_book

    book = read_book(source)
    return max(each.source_of(book, given) for each in families())[1]


def import_scheme(source: Path, output: Path, kind: str, given: Mapping[str, Any]) -> None:
    """Write the scheme of SOURCE as a folder, or say what is wrong with it and exit with 2."""
    family = next(each for each in families() if kind in each.SOURCES)
    _refuse_options(given, family.SOURCES[kind], kind)
    made = family.imported(source, kind, _meta(given, source), given)
    report(made.findings, True)
    if made.fill is None:
        say("有错误，未写出任何文件", "there are errors: nothing was written")
        sys.exit(EXIT_DATA)
    if made.refusal is not None:
        say(*made.refusal)
        sys.exit(EXIT_DATA)
    with whole_folder(output) as folder:
        made.fill(folder)
    counts = count_by_severity(family.verify(output))
    errors, warnings = counts["error"], counts["warning"]
    say(
        f"已写出 {output}；核对：错误 {errors}，警告 {warnings}（grouper tables verify {output}）",
        f"wrote {output}; verified: {errors} errors, {warnings} warnings (grouper tables verify {output})",
    )


def _refuse_options(given: Mapping[str, Any], names: Collection[str], kind: str) -> None:
    """Options that mean nothing for a kind of source are refused, not passed over."""
    used = [_FLAGS[name] for name in names if given[name]]
    if used:
        raise UsageError(zh=f"{used[0]} 不适用于 --as {kind}", en=f"{used[0]} means nothing with --as {kind}")


def _meta(given: Mapping[str, Any], source: Path) -> dict[str, Any]:
    return {
        "id": given["scheme_id"],
        "name": given["name"],
        "area": given["area"],
        "region": given["region"],
        "valid_from": day(given["valid_from"]),
        "valid_to": day(given["valid_to"]),
        "sources": [f"grouper tables import {source.name}"],
    }
