"""What DIP grouping asks of the ICD lists and of the auxiliary tables, by normalised code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table
from grouper.codes import icd
from grouper.grouping.dip.options import CLASSES, DIAGNOSTIC, SURGICAL, THERAPEUTIC, DipOptions
from grouper.grouping.tables.text import read_lists

SEVERITY_SCHEME = "chs-drg-2.0"  # its MCC/CC and exclusion lists stand in for the DIP lists, not found


@dataclass(frozen=True)
class Condition:
    """A Charlson condition: diagnoses by their beginning, not counted beside ``suppressed_by``."""

    name: str
    weight: int
    suppressed_by: str
    prefixes: tuple[str, ...]


@cache
def procedure_kinds() -> dict[str, str]:
    """Kind of each operation by its code in capitals; "" where it has none."""
    return {code.upper(): kind for code, kind in icd.procedure_kinds().items()}


@cache
def grey_procedures() -> frozenset[str]:
    return frozenset(code.upper() for code in icd.grey_procedures())


@cache
def grey_diagnoses() -> frozenset[str]:
    return frozenset(code.upper() for code in icd.grey_diagnoses())


@cache
def diagnoses() -> frozenset[str]:
    return frozenset(code.upper() for code in icd.diagnoses())


def procedure_class(code: str, options: DipOptions) -> int:
    """The class of an operation (step 2)."""
    kind = procedure_kinds().get(code, "")
    if kind == "interventional":
        return SURGICAL if options.interventional_as == "surgical" else THERAPEUTIC
    named = {"surgery": SURGICAL, "therapeutic": THERAPEUTIC, "diagnostic": DIAGNOSTIC}
    return named.get(kind, CLASSES.index(options.unresolved_as))


def _lists(name: str) -> dict[str, frozenset[str]]:
    """The sections of a file of the scheme whose severity lists are used, codes in capitals."""
    return read_lists(tables_dir() / "drg" / SEVERITY_SCHEME / name, {}, capitals=True)


@cache
def complications() -> dict[str, tuple[str, str]]:
    """Level (MCC, CC) and exclusion table of each diagnosis that counts for severity."""
    sections = sorted(_lists("complication.txt").items())  # CC first: where a code is both, MCC stays
    return {code: (name.split()[0], name.split()[1]) for name, codes in sections for code in codes}


@cache
def exclusions() -> dict[str, frozenset[str]]:
    """Principal diagnoses of each exclusion table."""
    return _lists("exclusion.txt")


@cache
def charlson() -> tuple[Condition, ...]:
    """The Charlson conditions, from ``tables/dip/auxiliary/charlson.csv``.

    Raises TableError when the file is missing or a row cannot be read.
    """
    path = tables_dir() / "dip" / "auxiliary" / "charlson.csv"
    try:
        rows = [row.cells for row in read_table(path, kind=TableError)]
        return tuple(
            Condition(
                row["condition"],
                int(row["weight"]),
                row["suppressed_by"],
                tuple(row["icd10_prefixes"].split()),
            )
            for row in rows
        )
    except (OSError, KeyError, ValueError) as error:
        raise TableError(zh=f"无法读取 {path}：{error}", en=f"cannot read {path}: {error}") from error


@cache
def _charlson_prefixes() -> tuple[dict[str, int], tuple[int, ...]]:
    """The condition of each prefix, and the lengths that prefixes have."""
    places = {prefix: i for i, condition in enumerate(charlson()) for prefix in condition.prefixes}
    return places, tuple(sorted({len(prefix) for prefix in places}))


def charlson_conditions(code: str) -> list[int]:
    """Which Charlson conditions a diagnosis is, by their place in the table."""
    places, lengths = _charlson_prefixes()
    return [places[code[:length]] for length in lengths if code[:length] in places]
