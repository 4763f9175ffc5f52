"""A catalogue as the flat arrays that the kernel runs, and the attributes of codes that it looks at."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from grouper._fast.dip import DipProgram
from grouper.base.reasons import REASON_NUMBER
from grouper.codes import icd
from grouper.grouping.dip import auxiliary, facts, normalise
from grouper.grouping.dip.compile_chain import ChainNumbers
from grouper.grouping.dip.options import CLASSES, TIE_BREAKS, DipOptions
from grouper.grouping.dip.reference import WEIGHT, Reference
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.packets import AUX_TYPES, Packet, Row

DIAGNOSIS_WIDTH = 12  # numbers of a diagnosis that the kernel looks at
LEVELS = 9  # the most levels that an auxiliary type has
PREFIXES = 6  # a code of fewer than seven characters may stand for those that begin with it
_MILLION = 1_000_000
_MATCH = ("exact", "prefix", "family")
_ORDER = ("core_first", "by_class", "kind_first")
_CONSERVATIVE = ("class", "no_procedure", "always")
_AUX_FIELDS = {
    "severity": ("los_days", "discharge_way"),
    "tumour": ("los_days", "discharge_way"),
    "cci": (),
    "age": ("age_years", "age_days"),
    "icu": ("icu_hours",),
}
# In the kernel's order.
FIELDS = ("age_years", "age_days", "los_days", "discharge_way", "icu_hours", WEIGHT)


class Numbering(dict[str, int]):
    """Texts numbered from 1 as they come; a text that is not there is 0."""

    def __missing__(self, key: str) -> int:
        return 0

    def add(self, key: str) -> int:
        return self.setdefault(key, len(self) + 1)


@dataclass
class CompiledDip:
    """A catalogue ready for the kernel.

    ``diagnoses`` and ``procedures`` are the known codes in official letter case; ids count from 1.
    ``fields``: the canonical columns that the options read.
    """

    catalogue: Catalogue
    diagnoses: Sequence[str]
    procedures: Sequence[str]
    spec: dict[str, Any]
    attributes: Attributes
    fields: tuple[str, ...]
    kernel: DipProgram

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """What the kernel's result numbers mean."""
        return self.catalogue.rows

    @cached_property
    def reference(self) -> Reference:
        """The same catalogue one record at a time, for explanations."""
        return Reference(self.catalogue)


def compile_catalogue(catalogue: Catalogue) -> CompiledDip:
    """Compile a catalogue. Raises ValueError where it is too large for the kernel."""
    builder = _Builder(catalogue)
    spec = builder.spec()
    attributes = Attributes(
        catalogue.options, builder.keys, builder.symbols, builder.families, builder.aux, builder.chain
    )
    spec |= attributes.tables()
    return CompiledDip(
        catalogue=catalogue,
        diagnoses=list(icd.diagnoses()),
        procedures=_procedures(catalogue),
        spec=spec,
        attributes=attributes,
        fields=_fields(catalogue),
        kernel=DipProgram(spec),
    )


def _fields(catalogue: Catalogue) -> tuple[str, ...]:
    options = catalogue.options
    needed: set[str] = set()
    if options.auxiliary == "variant_rows":
        needed = {name for type_ in catalogue.aux_types for name in _AUX_FIELDS[type_]}
    for rule in catalogue.chain.rules:
        needed |= {"age_years", "age_days"} if rule.age_days else set()
        needed |= {WEIGHT} if rule.weight else set()
    found = tuple(name for name in FIELDS if name in needed)
    return (*found, "total_cost") if "closest_cost" in options.tie_breaks else found


def _procedures(catalogue: Catalogue) -> list[str]:
    """The operations of the code list, and those that only the catalogue has."""
    codes = list(icd.procedures())
    known = {code.upper() for code in codes}
    packets = [packet for members in catalogue.operative.values() for packet in members]
    packets += [rule.packet for rule in catalogue.chain.every]
    for code in (c for p in packets for term in (*p.main, *p.related) for c in term):
        if code.upper() not in known:
            known.add(code.upper())
            codes.append(code)
    return codes


# --- the catalogue ------------------------------------------------------------------------------


class _Builder:
    """Flat arrays of one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.options = catalogue.options
        self.aux = self.options.auxiliary == "variant_rows"
        self.chain = ChainNumbers(catalogue.chain)
        self.keys = Numbering()
        self.symbols = Numbering()
        self.families = Numbering()
        self.row_number = {row.code: number for number, row in enumerate(catalogue.rows)}
        self.choice_row: list[int] = []
        self.choice_aux: list[int] = []
        self.aux_types: list[int] = []
        self.aux_direct: list[int] = []
        self.aux_nearest: list[int] = []

    def spec(self) -> dict[str, Any]:
        options = self.options
        for key in (*self.catalogue.operative, *self.catalogue.conservative):
            self.keys.add(key)
        arrays = self._packets() | self._still() | self._mixed() | self._rows()
        codes = list(self.symbols)
        arrays["symbol_family"] = [0, *(self.families[code[:5]] for code in codes)]
        arrays["symbol_short"] = [0, *(int(len(code) < 7) for code in codes)]
        rules = [*options.tie_breaks, *(["code_order"] if "code_order" not in options.tie_breaks else [])]
        arrays["rule"] = [TIE_BREAKS.index(rule) for rule in rules]
        for name in ("choice_row", "choice_aux", "aux_types", "aux_direct", "aux_nearest"):
            arrays[name] = getattr(self, name)
        arrays |= self.chain.arrays()
        blank = self.catalogue.blank
        return {name: _ints(values) for name, values in arrays.items()} | {
            "results": len(self.catalogue.rows),
            "row_score": array("q", [int((row.score or 0) * _MILLION) for row in self.catalogue.rows]),
            "row_cost": array("q", [int((row.average_cost or 0) * _MILLION) for row in self.catalogue.rows]),
            "keys": len(self.keys),
            "symbols": len(self.symbols),
            "families": len(self.families),
            "match": _MATCH.index(options.procedure_match),
            "order": _ORDER.index(options.selection_order),
            "conservative_rule": _CONSERVATIVE.index(options.conservative_rule),
            "short_stay": options.severity_min_stay,
            "set_repeats": options.repeats == "set",
            "main_first": options.main_position == "first",
            "first_class": options.mixed_class_from == "first",
            "to_mixed": options.unmatched_surgery_to_mixed,
            "auxiliary": self.aux,
            "chain_first": sum(map(len, self.catalogue.operative.values())),
            "link_order": options.rule_choice == "row_order",
            "skip_main": options.not_main == "next",
            "blank": -1 if blank is None else self.row_number[blank.code],
            "reasons": REASON_NUMBER,
        }

    def _packets(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {
            name: [] for name in ("packet_primary", "packet_main", "packet_choice", "code_symbol")
        }
        starts, terms, codes = [0, 0], [0], [0]  # key 0 is no key: it has no packets

        def add(packet: Packet) -> None:
            main, related = self._terms(packet)
            for term in (*main, *related):
                found["code_symbol"] += [self._symbol(code) for code in term]
                codes.append(len(found["code_symbol"]))
            terms.append(len(codes) - 1)
            found["packet_primary"].append(int(packet.primary_care))
            found["packet_main"].append(len(main))
            found["packet_choice"].append(self._choice(packet))

        for key in self.keys:
            for packet in self.catalogue.operative.get(key, ()):
                add(packet)
            starts.append(len(found["packet_primary"]))
        for rule in self.catalogue.chain.every:
            add(rule.packet)
        return found | {"key_start": starts, "packet_term": terms, "term_code": codes}

    def _terms(self, packet: Packet) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
        """The terms in capitals; equal ones merged, where repeats do not count."""
        main = [tuple(code.upper() for code in term) for term in packet.main]
        related = [tuple(code.upper() for code in term) for term in packet.related]
        if self.options.repeats == "set":
            main = list({frozenset(term): term for term in main}.values())
            taken = {frozenset(term) for term in main}
            merged = {frozenset(term): term for term in related}
            related = [term for key, term in merged.items() if key not in taken]
        return main, related

    def _symbol(self, code: str) -> int:
        self.families.add(code[:5])
        return self.symbols.add(code)

    def _choice(self, packet: Packet) -> int:
        """A number for how the row of a packet is chosen."""
        variants = packet.variants if self.aux else {}
        self.choice_row.append(self.row_number.get(packet.default.code, 0))  # conditions have no row
        self.choice_aux.append(len(self.aux_types) if variants else -1)
        if variants:
            self.aux_types.append(sum(1 << i for i, type_ in enumerate(AUX_TYPES) if type_ in variants))
            for type_ in AUX_TYPES:
                rows = variants.get(type_, {})
                self.aux_direct += [self._at(rows, level) for level in range(LEVELS)]
                nearest = [
                    auxiliary.used_level(type_, [level], sorted(rows), packet.plain is not None)
                    if rows
                    else -1
                    for level in range(LEVELS)
                ]
                self.aux_nearest += [self._at(rows, level) for level in nearest]
        return len(self.choice_row) - 1

    def _at(self, rows: dict[int, Row], level: int) -> int:
        return self.row_number[rows[level].code] if level in rows else -1

    def _still(self) -> dict[str, list[int]]:
        """Conservative packets, per key and list."""
        starts, choices = [0, 0, 0], []
        for key in self.keys:
            for primary in (False, True):
                packets = self.catalogue.conservative.get(key, ())
                choices += [self._choice(packet) for packet in packets if packet.primary_care == primary]
                starts.append(len(choices))
        return {"still_start": starts, "still_choice": choices}

    def _mixed(self) -> dict[str, list[int]]:
        """The mixed packets of every category and class, equal sets numbered once; set 0 is empty."""
        sets: dict[tuple[Packet, ...], int] = {(): 0}
        table: list[list[int]] = []
        for cls in range(len(CLASSES)):
            column = self._mixed_of(cls)
            numbers = [sets.setdefault(packets, len(sets)) for packets in column]
            if cls and self.options.mixed_missing_class == "step_down":
                numbers = [own or lower for own, lower in zip(numbers, table[-1], strict=True)]
            table.append(numbers)
        starts, choices, classes = [0], [], []
        for packets in sets:
            choices += [self._choice(packet) for packet in packets]
            starts.append(len(choices))
            classes.append(packets[0].treatment if packets else 0)
        by_category = [number for numbers in zip(*table, strict=True) for number in numbers]
        return {"mixed_set": by_category, "set_start": starts, "set_choice": choices, "set_class": classes}

    def _mixed_of(self, cls: int) -> list[tuple[Packet, ...]]:
        """The mixed packets of a class per category: by 3, 2, 1 characters, then the narrowest range."""
        found: list[tuple[Packet, ...]] = [()] * 2600
        spans = [
            (category(p.key[:3]), category(p.key[4:]), p) for p in self.catalogue.ranges if p.treatment == cls
        ]
        width = [-1] * 2600
        for low, high, packet in spans:
            for at in range(low, high + 1):
                if width[at] < 0 or high - low < width[at]:
                    width[at], found[at] = high - low, (packet,)
                elif high - low == width[at]:
                    found[at] = (*found[at], packet)
        mixed = self.catalogue.mixed
        for length in (1, 2, 3):
            for (key, treatment), packets in mixed.items():
                if treatment == cls and len(key) == length:
                    low = category(key.ljust(3, "0"))
                    span = 10 ** (3 - length)
                    found[low : low + span] = [packets] * span
        return found

    def _rows(self) -> dict[str, list[int]]:
        order = sorted(self.catalogue.rows, key=lambda row: row.order)
        rank = {row.code: number for number, row in enumerate(order)}
        return {"row_rank": [rank[row.code] for row in self.catalogue.rows]}


def category(text: str) -> int:
    """A letter and two digits as a number from 0 to 2599."""
    return (ord(text[0]) - ord("A")) * 100 + int(text[1:3])


def _ints(values: Iterable[int]) -> array[int]:
    return array("i", values)


# --- the codes ----------------------------------------------------------------------------------


@dataclass
class Attributes:
    """What the kernel looks at in a code, by its normalised text (see dip.pyx for the numbers)."""

    options: DipOptions
    keys: Numbering
    symbols: Numbering
    families: Numbering
    aux: bool
    chain: ChainNumbers

    def __post_init__(self) -> None:
        self.ignored = {normalise.procedure(code) for code in self.options.ignored_procedures}
        self.prefixes = {code for code in self.symbols if len(code) < 7}
        self.exact = self.options.procedure_match == "exact"
        self._excluded: dict[str, int] = {}
        self._tables = Numbering()
        self._excluded_tables: list[tuple[int, ...]] = [()]
        if self.aux:
            self._read_exclusions()

    def _read_exclusions(self) -> None:
        """Number the exclusion tables, and the sets of tables that a principal diagnosis is in."""
        of: dict[str, list[int]] = {}
        for table, codes in facts.exclusions().items():
            number = self._tables.add(table)
            for code in codes:
                of.setdefault(code, []).append(number)
        sets: dict[tuple[int, ...], int] = {(): 0}
        for code, tables in of.items():
            self._excluded[code] = sets.setdefault(tuple(sorted(tables)), len(sets))
        self._excluded_tables = list(sets)

    def tables(self) -> dict[str, Any]:
        """Exclusion tables and Charlson weights for the kernel."""
        starts: list[int] = [0]
        members: list[int] = []
        for tables in self._excluded_tables:
            members += tables
            starts.append(len(members))
        conditions = facts.charlson() if self.aux else ()
        names = {condition.name: place for place, condition in enumerate(conditions)}
        return {
            "excluded_start": _ints(starts),
            "excluded": _ints(members),
            "tables": len(self._tables),
            "weight": _ints(condition.weight for condition in conditions),
            "suppressed": _ints(
                1 << names[c.suppressed_by] if c.suppressed_by in names else 0 for c in conditions
            ),
        }

    def diagnosis(self, code: str) -> tuple[int, ...]:
        """Twelve numbers of a diagnosis."""
        sound = normalise.PRINCIPAL.match(code)
        listed = code in facts.diagnoses()
        refused = 0 if sound else 1
        if sound and self.options.unknown_principal == "reject" and not listed:
            refused = 2
        elif sound and self.options.grey_principal == "reject" and code in facts.grey_diagnoses():
            refused = 3
        key = self.keys[normalise.key(code)]
        place = category(code) if sound else -1
        chain = self.chain.diagnosis(code)
        if not self.aux:
            return (key, place, refused, 0, 0, 0, 0, 0, int(not listed), *chain)
        level, table = facts.complications().get(code, ("", ""))
        charlson = sum(1 << condition for condition in set(facts.charlson_conditions(code)))
        tumour = int(code.startswith(auxiliary.METASTASIS))
        tumour += 2 * code.startswith(auxiliary.RADIOTHERAPY) + 4 * code.startswith(auxiliary.CHEMOTHERAPY)
        severity = {"": 0, "CC": 1, "MCC": 2}[level]
        excluded = self._excluded.get(code, 0)
        return (
            key,
            place,
            refused,
            tumour,
            severity,
            self._tables[table],
            excluded,
            charlson,
            int(not listed),
            *chain,
        )

    def procedure(self, code: str) -> tuple[int, ...]:
        """Four numbers of an operation."""
        grey = self.options.grey_procedure == "ignore" and code in facts.grey_procedures()
        flags = int(grey or code in self.ignored)
        flags += 2 * code.startswith(auxiliary.RADIOTHERAPY_BY) + 4 * code.startswith(
            auxiliary.CHEMOTHERAPY_BY
        )
        flags += 8 * (code not in facts.procedure_kinds())
        flags += self.chain.barring(code, self.exact)
        cls = facts.procedure_class(code, self.options)
        return self.symbols[code], self.families[code[:5]], cls, flags

    def prefix(self, code: str) -> tuple[int, ...]:
        """The catalogue codes that an operation begins with, six places."""
        found = [self.symbols[code[:n]] for n in range(1, 7) if code[:n] in self.prefixes and len(code) >= n]
        found = list(dict.fromkeys(found))
        return (*found, *[0] * (PREFIXES - len(found)))
