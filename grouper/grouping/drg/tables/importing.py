"""A DRG scheme out of a workbook, or out of a list of groups over a base."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.grouping.drg.tables import store
from grouper.grouping.drg.tables.fourth import read_fourth
from grouper.grouping.drg.tables.grouplist import import_list, report_text, weights_text
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.workbook import import_workbook
from grouper.grouping.tables.importing import Imported, Refusal, identity, write_files


def import_scheme(source: Path, kind: str, meta: Mapping[str, Any], given: Mapping[str, Any]) -> Imported:
    """The scheme of a "workbook" or of a "list"; ``given``: the options of ``grouper tables import``.

    Raises UsageError for a list without a base.
    """
    under = store.load(given["base"]) if given["base"] else None
    whole = identity(meta, "drg", under.id if under else None, under.meta if under else {})
    if kind == "workbook":
        scheme, findings = import_workbook(source, whole, under)
        return Imported(findings, _fill(scheme, under, {}) if scheme else None)
    if under is None:
        raise UsageError(
            zh=f"{source} 是分组目录，需要用 --base 指定基础方案（若是工作簿，用 --as workbook）",
            en=f"{source} is a list of groups and needs --base (if it is a workbook, use --as workbook)",
        )
    return _list(source, whole, under, given)


def _list(source: Path, meta: dict[str, Any], base: Scheme, given: Mapping[str, Any]) -> Imported:
    headers = {"code": given["code"], "name": given["name_column"], "weight": given["weight"]}
    result = import_list(
        source,
        meta,
        base,
        columns={key: header for key, header in headers.items() if header},
        fourth=read_fourth(given["fourth"]) if given["fourth"] else {},
        keep_missing=given["keep_missing"],
    )
    undecided = result.undecided()
    if result.scheme is None:
        return Imported(result.findings, None)
    extra = {"weights.csv": weights_text(result.weights)} if result.weights else {}
    if undecided:
        extra["report.csv"] = report_text(result.findings)
    refusal = _refusal(len(undecided)) if undecided and not given["allow_undecided"] else None
    return Imported(result.findings, _fill(result.scheme, base, extra), refusal)


def _refusal(number: int) -> Refusal:
    return Refusal(
        f"{number} 个组的条件无法确定，未写出任何文件；用 --fourth 给出条件，或用 --allow-undecided 略去它们",
        f"{number} groups have no condition: nothing was written; give conditions with --fourth, "
        "or leave the groups out with --allow-undecided",
    )


def _fill(scheme: Scheme, base: Scheme | None, extra: Mapping[str, str]) -> Any:
    def fill(folder: Path) -> None:
        store.save(scheme, folder, base)
        write_files(folder, extra)
        store.load_folder(folder)

    return fill
