"""A grouping scheme as plain data: what the tables say, before compilation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from grouper.base.shown import Shown
from grouper.grouping.drg.options import DrgOptions, options_from

UNGROUPED = "0000"

SIZES = {  # what ``Scheme.counts`` counts, in Chinese and English
    "mdc": ("MDC", "MDC"),
    "adrg": ("ADRG", "ADRG"),
    "drg": ("DRG", "DRG"),
    "ambiguous": ("歧义组", "ambiguous groups"),
    "ungrouped": ("不再入组的行（00）", "rows that end an MDC (00)"),
    "primary_care": ("基层病组", "groups of primary care"),
    "lists": ("编码集合", "code lists"),
    "list_codes": ("集合中的编码", "codes in the lists"),
    "mcc": ("MCC 编码", "MCC codes"),
    "cc": ("CC 编码", "CC codes"),
    "exclusion_codes": ("排除表中的编码", "codes in the exclusion tables"),
}
SITES = "MDCZ.site."  # lists of the injuries of one body site begin so


@dataclass(frozen=True, slots=True)
class Mdc:
    """A major diagnostic category (主要诊断大类) with its entry condition."""

    mdc: str
    name: str
    entry: str


@dataclass(frozen=True, slots=True)
class Adrg:
    """One test inside an MDC: a variant of an ADRG (核心疾病诊断相关组), an ambiguous group (``BQY``), or the
    end of the MDC (``P00``), where a record stays without a group and no other MDC is tried."""

    variant: str
    name: str
    condition: str

    @property
    def adrg(self) -> str:
        """Code of the group: the variant without its running number (``NA1_2`` is ``NA1``)."""
        return self.variant.partition("_")[0]

    @property
    def mdc(self) -> str:
        return "MDC" + self.variant[0]

    @property
    def kind(self) -> str:
        """By the second letter: surgical A-J, procedure K-P, ambiguous QY, medical R-Z; x00 ungrouped."""
        if self.adrg.endswith("QY"):
            return "ambiguous"
        if self.adrg[1:] == "00":
            return "ungrouped"
        letter = self.adrg[1:2]
        return "surgical" if letter <= "J" else "procedure" if letter <= "Q" else "medical"

    @property
    def own_group(self) -> str:
        """The group code of a record that ends in this row itself: ``BQY``, ``P000`` for ``P00``, ``AA1``."""
        return self.adrg + "0" if self.kind == "ungrouped" else self.adrg


@dataclass(frozen=True, slots=True)
class Drg:
    """A group (疾病诊断相关组) of an ADRG variant; the first whose condition holds is the result."""

    drg: str
    name: str
    condition: str


@dataclass(frozen=True)
class Scheme(Shown):
    """A complete grouping scheme, overlays already applied.

    ``mdcs`` and ``adrgs`` stand in the order in which they are tried; ``drgs`` maps a
    variant to its groups in order; ``lists`` maps a list name to its codes;
    ``complications`` maps a code to (levels, exclusion table); ``exclusions`` maps an
    exclusion table to the principal diagnoses in it; ``primary_care`` names the groups of
    primary care (基层病组).
    """

    id: str
    name: str
    meta: Mapping[str, Any]
    mdcs: tuple[Mdc, ...]
    adrgs: tuple[Adrg, ...]
    drgs: Mapping[str, tuple[Drg, ...]]
    lists: Mapping[str, frozenset[str]]
    complications: Mapping[str, tuple[frozenset[str], str]]
    exclusions: Mapping[str, frozenset[str]]
    primary_care: tuple[str, ...] = ()
    digest: str = ""

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.id}: {sum(map(len, self.drgs.values())):,} DRG"

    @property
    def stops_without_drg(self) -> bool:
        """Whether an ADRG none of whose groups holds ends the search (else it goes on)."""
        return self.options.when_no_drg == "stop"

    @property
    def base(self) -> str | None:
        return self.meta.get("base")

    @property
    def area(self) -> str:
        area: str = self.meta["area"]
        return area

    @property
    def valid_from(self) -> date | None:
        return self.meta.get("valid_from")

    @property
    def valid_to(self) -> date | None:
        return self.meta.get("valid_to")

    @cached_property
    def options(self) -> DrgOptions:
        """The options of the scheme, those that it does not state included."""
        return options_from(self.meta.get("options", {}))

    @cached_property
    def inside(self) -> Mapping[str, tuple[Adrg, ...]]:
        """The ADRG of each MDC, in the order in which they are tried."""
        return {mdc.mdc: tuple(a for a in self.adrgs if a.mdc == mdc.mdc) for mdc in self.mdcs}

    @cached_property
    def sites(self) -> tuple[str, ...]:
        """The lists of injuries by body site."""
        return tuple(name for name in sorted(self.lists) if name.startswith(SITES))

    def groups(self) -> Iterator[tuple[Adrg, Drg]]:
        """Every group with the ADRG variant it belongs to, in the order in which they are tried."""
        for adrg in self.adrgs:
            for drg in self.drgs.get(adrg.variant, ()):
                yield adrg, drg

    def sizes(self, lang: str) -> dict[str, int]:
        """``counts`` by their words, "zh" or "en"."""
        return {SIZES[key][lang == "en"]: number for key, number in self.counts().items()}

    def counts(self) -> dict[str, int]:
        """Sizes of the scheme, as they stand in its ``scheme.toml`` and in docs."""
        levels = [levels for levels, _ in self.complications.values()]
        ends = len([a for a in self.adrgs if a.kind == "ungrouped"])
        return {
            "mdc": len(self.mdcs),
            "adrg": len({a.adrg for a in self.adrgs if a.kind not in ("ambiguous", "ungrouped")}),
            "drg": len({drg.drg for _, drg in self.groups()}),
            "ambiguous": len({a.adrg for a in self.adrgs if a.kind == "ambiguous"}),
            **({"ungrouped": ends} if ends else {}),
            **({"primary_care": len(self.primary_care)} if self.primary_care else {}),
            "lists": len(self.lists),
            "list_codes": sum(map(len, self.lists.values())),
            "mcc": sum("MCC" in level for level in levels),
            "cc": sum("CC" in level for level in levels),
            "exclusion_codes": sum(map(len, self.exclusions.values())),
        }
