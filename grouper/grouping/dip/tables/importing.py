"""A DIP catalogue out of a sheet."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.grouping.dip.tables import catalogue
from grouper.grouping.dip.tables.layout import load_sheet_map
from grouper.grouping.dip.tables.workbook import import_catalogue
from grouper.grouping.tables.importing import Imported, identity, write_files


def import_scheme(source: Path, meta: Mapping[str, Any], given: Mapping[str, Any]) -> Imported:
    """The catalogue of a sheet; ``given``: the options of ``grouper tables import``."""
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
    if result.files is None:
        return Imported(result.findings, None)
    files = result.files

    def fill(folder: Path) -> None:
        write_files(folder, files)
        catalogue.load(folder)

    return Imported(result.findings, fill)


def _options_of(path: Path) -> dict[str, Any]:
    """The options of a TOML file: its ``[options]``, or all of it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(zh=f"--options {path} 无法读取：{error}", en=f"--options {path}: {error}") from error
    return dict(document.get("options", document))
