"""DIP as a family (grouper.grouping.family.Family): catalogues of packets with scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.grouping.tables import folders as shared

if TYPE_CHECKING:
    import pyarrow as pa

    from grouper.base.findings import Finding
    from grouper.codes.book import CodeOptions
    from grouper.grouping.dip.engine import DipEngine
    from grouper.grouping.dip.explanation import DipExplanation
    from grouper.grouping.dip.tables.catalogue import Catalogue
    from grouper.grouping.tables.change import Change
    from grouper.grouping.tables.importing import Imported
    from grouper.grouping.tables.sheets import Book, Sheet

KIND = "dip"
NAMES = ("DIP 目录", "DIP catalogue")
GROUP, GROUP_NAME, COUNTED = "dip_code", "dip_name", "packet"
LISTED = {
    "id": "id",
    "area": "area",
    "base": "base",
    "valid_from": "from",
    "valid_to": "to",
    "entries": "DIP",
    "region": "region",
}
PARTS = ("drg", "code")
PAGE = False
SHEETS = 2
SOURCES = {"dip": ("code", "name_column", "weight", "fourth", "keep_missing", "allow_undecided")}


def settled() -> dict[str, pa.DataType]:
    import pyarrow as pa

    from grouper.grouping.dip.engine import PRIMARY_CARE, SCORE

    text = pa.string()
    names = ("dip_code", "dip_name", "dip_kind", "packet", "auxiliary", "warnings")
    return {**dict.fromkeys(names, text), PRIMARY_CARE: pa.bool_(), "score": SCORE}


def folders() -> dict[str, Path]:
    return shared.shipped(KIND)


def recognises(folder: Path) -> bool:
    return (folder / "catalogue.csv").is_file()


def meta(folder: Path) -> dict[str, Any]:
    """Empty for a folder of several option sets (profiles.json)."""
    return shared.read_meta(folder) if (folder / shared.META).is_file() else {}


def load(folder: Path, profile: str | None = None) -> Catalogue:
    from grouper.grouping.dip.tables import catalogue

    return catalogue.load(folder, None, profile)


def options(scheme: Catalogue) -> dict[str, Any]:
    return scheme.options.as_dict()


def groups(scheme: Catalogue) -> set[str]:
    return {row.code for row in scheme.rows}


def unscored(scheme: Catalogue) -> set[str]:
    return {row.code for row in scheme.rows if row.score is None}


def primary_care(scheme: Catalogue) -> set[str] | None:
    """Packets of the list; more cases are told by diagnosis and operation, in the column ``primary_care``."""
    return None if scheme.primary_care is None else set(scheme.primary_care)


def engine(scheme: Catalogue, codes: CodeOptions, lang: str) -> DipEngine:
    from grouper.grouping.dip.engine import make_engine

    return make_engine(scheme, codes, lang)


def explain(engine: DipEngine, record: Mapping[str, Any]) -> DipExplanation:
    from grouper.grouping.dip.explain import explain

    return explain(engine, record)


def codebook(scheme: Catalogue) -> dict[str, list[dict[str, Any]]]:
    """The packets in the order of the catalogue, each code once."""
    rows = {row.code: row for row in reversed(scheme.rows)}
    groups = [
        {"group_code": row.code, "name_zh": row.name, "score": row.score, "mean_cost": row.average_cost}
        for row in reversed(rows.values())
    ]
    return {"groups": groups, "adrgs": [], "mdcs": []}


def details(explained: DipExplanation, lang: str) -> dict[str, Any]:
    from grouper.grouping.dip.details import Details

    return Details(explained, lang).as_dict()


def named_groups(scheme: Catalogue) -> Iterable[tuple[str, str, str]]:
    from grouper.grouping.dip.lookup import named_groups

    return named_groups(scheme)


def standing(engine: DipEngine, code: str) -> dict[str, Any]:
    from grouper.grouping.dip.lookup import standing

    return standing(engine, code)


def leads(engine: DipEngine, code: str, lang: str) -> Iterable[dict[str, Any]]:
    from grouper.grouping.dip.lookup import leads

    return leads(engine, code, lang)


def listing() -> list[dict[str, Any]]:
    from grouper.grouping.dip.tables.listing import schemes

    return schemes()


def show(scheme: Catalogue, part: str, value: str, names: Mapping[str, str], lang: str) -> Iterable[str]:
    from grouper.grouping.dip.tables.listing import code_lines, overview, packet_lines

    if part == "drg":
        return packet_lines(scheme, value, lang)
    return code_lines(scheme, value, lang) if part else overview(scheme, lang)


def diff(a: Catalogue, b: Catalogue) -> list[Change]:
    from grouper.grouping.dip.tables.diff import diff

    return diff(a, b)


def in_words(changes: Sequence[Change], names: Mapping[str, str], lang: str) -> list[str]:
    from grouper.grouping.dip.tables.diff import in_words

    return in_words(changes, lang)


def verify(folder: Path, beside: bool = False) -> list[Finding]:
    """What cannot be read, and what is odd but legal."""
    from grouper.base.errors import GrouperError
    from grouper.grouping.dip.tables.anomalies import anomalies
    from grouper.grouping.dip.tables.listing import verify

    findings = verify(folder)
    try:
        return [*findings, *anomalies(load(folder))]
    except GrouperError:  # said already
        return findings


def export(folder: Path, names: Mapping[str, str]) -> Book:
    from grouper.grouping.dip.tables.catalogue import bases
    from grouper.grouping.dip.tables.layout import export_catalogue
    from grouper.grouping.dip.tables.national_export import export_national, is_national_catalogue

    scheme = load(folder)
    if is_national_catalogue(scheme, folder):
        return export_national(folder, names)
    return export_catalogue(scheme, [folder, *bases(folder)])


def source_of(book: Mapping[str, Sheet], given: Mapping[str, Any]) -> tuple[int, str]:
    from grouper.grouping.dip.tables.layout import is_catalogue
    from grouper.grouping.dip.tables.national_layout import is_national

    if is_national(book):
        return 3, "dip"
    return (3 if given["column_map"] else 1 if is_catalogue(book) else -1, "dip")


def imported(source: Path, kind: str, meta: Mapping[str, Any], given: Mapping[str, Any]) -> Imported:
    from grouper.grouping.dip.tables.importing import import_scheme

    return import_scheme(source, meta, given)
