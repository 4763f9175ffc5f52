"""A DIP catalogue out of a sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.findings import Finding
from grouper.base.toml_in import read_toml
from grouper.grouping.dip.tables import catalogue
from grouper.grouping.dip.tables.layout import load_sheet_map
from grouper.grouping.dip.tables.national import import_national
from grouper.grouping.dip.tables.national_layout import is_national
from grouper.grouping.dip.tables.workbook import import_catalogue
from grouper.grouping.tables.importing import Imported, identity, write_files
from grouper.grouping.tables.sheets import read_book


def import_scheme(source: Path, meta: Mapping[str, Any], given: Mapping[str, Any]) -> Imported:
    """The catalogue of a sheet; ``given``: the options of ``grouper tables import``."""
    if is_national(read_book(source)):
        _refuse_for_national(source, given)
        national = import_national(source, identity(meta, "dip", None, {}))
        return _made(national.findings, national.files)
    under = catalogue.load(given["base"]) if given["base"] else None
    result = import_catalogue(
        source,
        identity(meta, "dip", given["base"], under.meta if under else {}),
        sheet=given["sheet"],
        columns=load_sheet_map(given["column_map"]) if given["column_map"] else None,
        options=_options_of(given["options_file"]) if given["options_file"] else None,
        base=under,
        round_numbers=given["round_numbers"],
    )
    return _made(result.findings, result.files)


def _made(findings: Sequence[Finding], files: Mapping[str, str] | None) -> Imported:
    if files is None:
        return Imported(findings, None)

    def fill(folder: Path) -> None:
        write_files(folder, files)
        catalogue.load(folder)

    return Imported(findings, fill)


def _refuse_for_national(source: Path, given: Mapping[str, Any]) -> None:
    """The national workbook states all that these options would say."""
    flags = {
        "sheet": "--sheet",
        "column_map": "--columns",
        "options_file": "--options",
        "round_numbers": "--round",
        "base": "--base",
    }
    for name, flag in flags.items():
        if given[name]:
            raise UsageError(
                zh=f"{source} 是国家 DIP 3.0 工作簿，{flag} 不适用",
                en=f"{source} is the national DIP 3.0 workbook: {flag} does not apply",
            )


def _options_of(path: Path) -> dict[str, Any]:
    """The options of a TOML file: its ``[options]``, or all of it."""
    document = read_toml(path, flag="--options")
    return dict(document.get("options", document))
