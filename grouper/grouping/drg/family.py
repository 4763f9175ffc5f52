"""DRG as a family (grouper.grouping.family.Family): schemes in the manner of CHS-DRG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.grouping.tables import folders as shared

if TYPE_CHECKING:
    import pyarrow as pa

    from grouper.base.findings import Finding
    from grouper.codes.book import CodeOptions
    from grouper.grouping.drg.engine import DrgEngine
    from grouper.grouping.drg.explanation import Explanation
    from grouper.grouping.drg.tables.model import Scheme
    from grouper.grouping.tables.change import Change
    from grouper.grouping.tables.importing import Imported
    from grouper.grouping.tables.sheets import Book, Sheet

KIND = "drg"
NAMES = ("DRG 方案", "DRG scheme")
GROUP, GROUP_NAME, COUNTED = "drg", "drg_name", "drg"
LISTED = {
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
PARTS = ("mdc", "adrg", "drg", "code_list", "code")
PAGE = True
SHEETS = 1
_OF_CATALOGUES = ("sheet", "column_map", "options_file", "round_numbers")
SOURCES = {"workbook": _OF_CATALOGUES, "list": _OF_CATALOGUES}


def settled() -> dict[str, pa.DataType]:
    import pyarrow as pa

    names = ("mdc", "adrg", "drg", "drg_name", "complication", "complication_by", "warnings")
    return dict.fromkeys(names, pa.string())


def folders() -> dict[str, Path]:
    return shared.shipped(KIND)


def recognises(folder: Path) -> bool:
    return (folder / shared.META).is_file()


def meta(folder: Path) -> dict[str, Any]:
    return shared.read_meta(folder)


def load(folder: Path, profile: str | None = None) -> Scheme:
    """A DRG scheme has one set of options; ``profile`` chooses nothing."""
    from grouper.grouping.drg.tables.store import load_folder

    return load_folder(folder)


def options(scheme: Scheme) -> dict[str, Any]:
    return dict(scheme.meta.get("options", {}))


def groups(scheme: Scheme) -> set[str]:
    return {drg.drg for _, drg in scheme.groups()}


def unscored(scheme: Scheme) -> set[str]:
    return set()  # its groups have weights, which are the policy's


def primary_care(scheme: Scheme) -> set[str] | None:
    return set(scheme.primary_care) or None


def engine(scheme: Scheme, codes: CodeOptions, lang: str) -> DrgEngine:
    from grouper.grouping.drg.engine import make_engine

    return make_engine(scheme, codes, lang)


def explain(engine: DrgEngine, record: Mapping[str, Any]) -> Explanation:
    from grouper.grouping.drg.explain import explain

    return explain(engine, record)


def codebook(scheme: Scheme) -> dict[str, list[dict[str, Any]]]:
    """Categories, adjacent groups and groups in the order of their codes."""
    names = {adrg.adrg: adrg.name for adrg in reversed(scheme.adrgs)}
    groups = {
        drg.drg: (code.partition("_")[0], drg.name) for code, drgs in scheme.drgs.items() for drg in drgs
    }
    return {
        "mdcs": [{"mdc": mdc.mdc, "name_zh": mdc.name} for mdc in scheme.mdcs],
        "adrgs": [{"adrg": code, "mdc": f"MDC{code[0]}", "name_zh": names[code]} for code in sorted(names)],
        "groups": [
            {"group_code": code, "adrg": adrg, "mdc": f"MDC{code[0]}", "name_zh": name}
            for code, (adrg, name) in sorted(groups.items())
        ],
    }


def details(explained: Explanation, lang: str) -> dict[str, Any]:
    from grouper.grouping.drg.details import Details

    return Details(explained, lang).as_dict()


def named_groups(scheme: Scheme) -> Iterable[tuple[str, str, str]]:
    from grouper.grouping.drg.lookup import named_groups

    return named_groups(scheme)


def standing(engine: DrgEngine, code: str) -> dict[str, Any]:
    from grouper.grouping.drg.lookup import standing

    return standing(engine, code)


def leads(engine: DrgEngine, code: str, lang: str) -> Iterable[dict[str, Any]]:
    from grouper.grouping.drg.lookup import leads

    return leads(engine, code, lang)


def listing() -> list[dict[str, Any]]:
    from grouper.grouping.drg.tables.listing import schemes

    return schemes()


def show(scheme: Scheme, part: str, value: str, names: Mapping[str, str], lang: str) -> Iterable[str]:
    from grouper.grouping.drg.tables.listing import View

    view = View(scheme, names, lang)
    return getattr(view, part)(value) if part else view.overview()


def diff(a: Scheme, b: Scheme) -> list[Change]:
    from grouper.grouping.drg.tables.diff import diff

    return diff(a, b)


def in_words(changes: Sequence[Change], names: Mapping[str, str], lang: str) -> list[str]:
    from grouper.grouping.drg.tables.diff import in_words

    return in_words(changes, names, lang)


def verify(folder: Path, beside: bool = False) -> list[Finding]:
    from grouper.grouping.drg.tables.verify import verify

    return verify(folder, sisters=beside)


def export(folder: Path, names: Mapping[str, str]) -> Book:
    from grouper.grouping.drg.tables.layout import export_book

    return export_book(load(folder), names)


def source_of(book: Mapping[str, Sheet], given: Mapping[str, Any]) -> tuple[int, str]:
    from grouper.grouping.drg.tables.layout import is_workbook

    return (2, "workbook") if is_workbook(book) else (0, "list")


def imported(source: Path, kind: str, meta: Mapping[str, Any], given: Mapping[str, Any]) -> Imported:
    from grouper.grouping.drg.tables.importing import import_scheme

    return import_scheme(source, kind, meta, given)
