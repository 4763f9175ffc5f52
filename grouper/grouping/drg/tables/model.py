"""A grouping scheme as plain data: what the tables say, before compilation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

UNGROUPED = "0000"


@dataclass(frozen=True, slots=True)
class Mdc:
    """A major diagnostic category (主要诊断大类) with its entry condition."""

    mdc: str
    name: str
    entry: str


@dataclass(frozen=True, slots=True)
class Adrg:
    """One test inside an MDC: a variant of an ADRG (核心疾病诊断相关组), or an ambiguous group."""

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
        """By the second letter: surgical A-J, procedure K-P, ambiguous QY, medical R-Z."""
        if self.adrg.endswith("QY"):
            return "ambiguous"
        letter = self.adrg[1:2]
        return "surgical" if letter <= "J" else "procedure" if letter <= "Q" else "medical"


@dataclass(frozen=True, slots=True)
class Drg:
    """A group (疾病诊断相关组) of an ADRG variant; the first whose condition holds is the result."""

    drg: str
    name: str
    condition: str


@dataclass(frozen=True)
class Scheme:
    """A complete grouping scheme, overlays already applied.

    ``mdcs`` and ``adrgs`` stand in the order in which they are tried; ``drgs`` maps a
    variant to its groups in order; ``lists`` maps a list name to its codes;
    ``complications`` maps a code to (levels, exclusion table); ``exclusions`` maps an
    exclusion table to the principal diagnoses in it.
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
    digest: str = ""

    @property
    def stops_without_drg(self) -> bool:
        """Whether an ADRG none of whose groups holds ends the search (else it goes on)."""
        return self.option("when_no_drg", "next") == "stop"

    @property
    def base(self) -> str | None:
        return self.meta.get("base")

    @property
    def area(self) -> str:
        return self.meta["area"]

    @property
    def valid_from(self) -> date | None:
        return self.meta.get("valid_from")

    @property
    def valid_to(self) -> date | None:
        return self.meta.get("valid_to")

    def option(self, name: str, default: Any = None) -> Any:
        """An option of the scheme, such as ``retry_other_procedures``."""
        return self.meta.get("options", {}).get(name, default)

    def groups(self) -> Iterator[tuple[Adrg, Drg]]:
        """Every group with the ADRG variant it belongs to, in the order in which they are tried."""
        for adrg in self.adrgs:
            for drg in self.drgs.get(adrg.variant, ()):
                yield adrg, drg

    def counts(self) -> dict[str, int]:
        """Sizes of the scheme, as they stand in its ``scheme.toml`` and in docs."""
        levels = [levels for levels, _ in self.complications.values()]
        return {
            "mdc": len(self.mdcs),
            "adrg": len({a.adrg for a in self.adrgs if a.kind != "ambiguous"}),
            "drg": len({drg.drg for _, drg in self.groups()}),
            "ambiguous": len({a.adrg for a in self.adrgs if a.kind == "ambiguous"}),
            "lists": len(self.lists),
            "list_codes": sum(map(len, self.lists.values())),
            "mcc": sum("MCC" in level for level in levels),
            "cc": sum("CC" in level for level in levels),
            "exclusion_codes": sum(map(len, self.exclusions.values())),
        }
