"""The families of groupers: what each must say of itself, and the one table of them.

A family is a module, loaded on first use. Nothing outside grouping asks which family a scheme is of: what
differs is asked of the family. Another family is one line more in ``FAMILIES`` and a module like
``grouper.grouping.drg.family``.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import pyarrow as pa

    from grouper.base.findings import Finding
    from grouper.codes.book import CodeOptions
    from grouper.grouping.dip import family as dip
    from grouper.grouping.drg import family as drg
    from grouper.grouping.engine import Engine, Explained, Named
    from grouper.grouping.tables.change import Change
    from grouper.grouping.tables.importing import Imported
    from grouper.grouping.tables.sheets import Book, Sheet

# Kind (as ``kind`` of scheme.toml has it) -> module. A folder is offered to the last one first: the sign of
# the first, a scheme.toml, is the most general.
FAMILIES: dict[str, str] = {"drg": "grouper.grouping.drg.family", "dip": "grouper.grouping.dip.family"}


class Family(Protocol):
    """What a family says of itself. Schemes and engines that it is given are its own."""

    @property
    def KIND(self) -> str:
        """Its key in ``FAMILIES``."""

    @property
    def NAMES(self) -> tuple[str, str]:
        """What one of its schemes is called, in Chinese and English."""

    @property
    def GROUP(self) -> str:
        """The result column of the groups that are priced."""

    @property
    def GROUP_NAME(self) -> str:
        """The result column of their names."""

    @property
    def COUNTED(self) -> str:
        """The result column of the groups that supervisory indices count by."""

    def settled(self) -> Mapping[str, pa.DataType]:
        """The result columns that a settlement keeps besides status and reason, with their types there."""

    # --- schemes ---

    def folders(self) -> Mapping[str, Path]:
        """The shipped schemes: id to folder."""

    def recognises(self, folder: Path) -> bool:
        """Whether a folder may be a scheme of this family, by the files in it."""

    def meta(self, folder: Path) -> Mapping[str, Any]:
        """Identity, area, base and validity of a folder; empty when it does not state them."""

    def load(self, folder: Path, profile: str | None = None) -> Named:
        """A complete scheme; ``profile`` chooses where a folder holds several option sets."""

    def options(self, scheme: Any) -> dict[str, Any]:
        """The options of a scheme as plain data."""

    def groups(self, scheme: Any) -> set[str]:
        """The codes of the groups that pricing may meet."""

    def unscored(self, scheme: Any) -> set[str]:
        """Those of ``groups`` that have no score, in a family whose grouping gives scores."""

    def primary_care(self, scheme: Any) -> set[str] | None:
        """The groups that the scheme names as of primary care (基层病种); None where it names none."""

    def codebook(self, scheme: Any) -> Mapping[str, list[dict[str, Any]]]:
        """The names of a scheme's groups for people who read results: rows of the tables ``groups``,
        ``adrgs`` and ``mdcs``, with the columns of ``tables/lake/columns.csv`` that it knows."""

    # --- grouping ---

    def engine(self, scheme: Any, codes: CodeOptions, lang: str) -> Engine:
        """The engine of a scheme; ``lang`` is the language of its texts."""

    def explain(self, engine: Any, record: Mapping[str, Any]) -> Explained:
        """Explain one record given as canonical columns (grouper.records.schema)."""

    def details(self, explained: Any, lang: str) -> dict[str, Any]:
        """An explanation as data for pages and programs, its texts in one language; the same keys for all.

        ``summary``: lines. ``codes``: what each code was taken for, with marks and codes ``instead``.
        ``because``: the codes on which the group rests. ``complications``: which count, and by which
        principal diagnosis and table the others are excluded. ``path``: what was tried, with the lists
        asked for, their sizes, matching and sample codes; ``holds`` is null where data are lacking.
        ``near``: groups one step away. ``retried``, ``warnings``.
        """

    # --- searching ---

    def named_groups(self, scheme: Any) -> Iterable[tuple[str, str, str]]:
        """Its groups and what they belong to: code, name, code above or ""."""

    def standing(self, engine: Any, code: str) -> dict[str, Any]:
        """What a scheme says of a code: ``used``, ``not_for_grouping``, ``level`` (MCC, CC or None),
        ``exclusion`` (table and size, or None), ``excludes`` (tables that have it as principal diagnosis)."""

    def leads(self, engine: Any, code: str, lang: str) -> Iterable[dict[str, Any]]:
        """Where a code can lead: ``level``, ``code``, ``name``, ``above``, ``as`` (where it must stand) with
        ``as_text``, ``list`` with ``list_title``, and the ``groups`` inside."""

    # --- what the tables commands show ---

    @property
    def LISTED(self) -> Mapping[str, str]:
        """Keys of ``listing`` that a table shows, with the heading of each."""

    @property
    def PARTS(self) -> Collection[str]:
        """The parts of a scheme that ``show`` knows, by the names of their flags."""

    @property
    def PAGE(self) -> bool:
        """Whether grouper.report.scheme_changes can lay out what two of its schemes have changed."""

    def listing(self) -> list[dict[str, Any]]:
        """The shipped schemes: id, name, area, region, base, validity and sizes."""

    def show(self, scheme: Any, part: str, value: str, names: Mapping[str, str], lang: str) -> Iterable[str]:
        """Lines about one part, or about the whole scheme for part "". ``names``: of ICD codes."""

    def diff(self, a: Any, b: Any) -> list[Change]:
        """Everything that scheme ``b`` changes against ``a``."""

    def in_words(self, changes: Sequence[Change], names: Mapping[str, str], lang: str) -> list[str]:
        """Changes as lines of text under headings."""

    def verify(self, folder: Path, beside: bool = False) -> list[Finding]:
        """Findings on a folder; ``beside``: also against the shipped schemes of its edition."""

    # --- import and export ---

    @property
    def SHEETS(self) -> int:
        """The number of sheets of an export; CSV needs a folder when there are several."""

    @property
    def SOURCES(self) -> Mapping[str, Collection[str]]:
        """What can be imported, by its name for ``--as``, with the options that mean nothing to it."""

    def export(self, folder: Path, names: Mapping[str, str]) -> Book:
        """The sheets of a scheme."""

    def source_of(self, book: Mapping[str, Sheet], given: Mapping[str, Any]) -> tuple[int, str]:
        """Which of ``SOURCES`` a book is by its sheets and the options given, and how sure that is.

        3: an option says so; 2 and 1: its sheets do; 0: it may be; below 0: it is not.
        """

    def imported(
        self, source: Path, kind: str, meta: Mapping[str, Any], given: Mapping[str, Any]
    ) -> Imported:
        """The scheme of a source. ``meta``: its identity, without base and editions."""


def family(kind: str) -> Family:
    """The family of a kind, a key of ``FAMILIES``."""
    return cast("Family", importlib.import_module(FAMILIES[kind]))


def families() -> Iterator[Family]:
    """All families, in the order of the table."""
    return map(family, FAMILIES)


if TYPE_CHECKING:  # that the modules of the table keep the protocol
    _DRG: Family = drg
    _DIP: Family = dip
