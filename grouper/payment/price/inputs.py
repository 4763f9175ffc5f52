"""The columns of a case that pricing may read, and how each comes out of a grouped file."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from grouper.base.errors import UsageError
from grouper.base.written import amount, day, is_text, whole
from grouper.grouping.family import families
from grouper.payment.formula.expression import Bool, Expr, Field, Lookup, Text, walk
from grouper.payment.formula.predicates import AnyPrefix, OneOf
from grouper.payment.formula.window import Rank
from grouper.records import ColumnMap
from grouper.records.normalise import MAX_AGE, MAX_STAY
from grouper.records.stays import Gate


class Input(NamedTuple):
    """``kind``: text, int, flag, money (fen), decimal (``digits`` decimals), list, date.

    ``default``: SQL of the value where the file lacks the column, which the run reports; None: the
    column must be there. ``of``: where it comes from, if not from a column of its
    name; "*": from the column of groups (see ``sources``).
    """

    kind: str
    default: str | None = None
    digits: int = 0
    of: str = ""


# Whole numbers outside 0 to these are missing, as in ``settle``.
MOST = {"los_days": MAX_STAY, "age_years": MAX_AGE}
PLACE = "row_place"  # the column that names a row of the inputs, from 0 on
INPUTS: dict[str, Input] = {
    "record_id": Input("text"),
    "hospital_code": Input("text"),
    "hospital_level": Input("text"),
    "hospital_kind": Input("text", "NULL::VARCHAR"),
    "county": Input("text", "NULL::VARCHAR"),
    "alliance": Input("text", "NULL::VARCHAR"),
    "region_code": Input("text", "NULL::VARCHAR"),
    "offsite": Input("text", "NULL::VARCHAR"),  # who is treated where: grouper.settlement.offsite
    "insurance_type": Input("text"),
    "admission_type": Input("text"),
    "payment_method": Input("text"),
    "department": Input("text"),
    "person_id": Input("text"),
    "status": Input("text"),
    "reason": Input("text"),
    "group": Input("text", of="*"),
    "dip_kind": Input("text"),
    "primary_care": Input("flag"),
    "score": Input("decimal", digits=6),
    "discharge_way": Input("int"),
    "los_days": Input("int"),
    "age_years": Input("int"),
    "admission_date": Input("date"),
    "discharge_date": Input("date"),
    "diagnoses": Input("list"),
    "procedures": Input("list"),
    "principal": Input("text", of="diagnoses[1]"),
    "total_cost": Input("money"),
    "own_expense": Input("money"),
    "self_pay_first": Input("money"),
    "deductible": Input("money"),
    "pool_paid": Input("money"),
    "fund_paid": Input("money"),
    "pool_paid_before": Input("money"),  # by the pool for the person this year, before this stay
    # decided or measured beside the record; mostly absent
    "auxiliary_coefficient": Input("decimal", "10000::BIGINT", 4),
    "unreasonable_cost": Input("money", "0::BIGINT"),
    "new_technology_cost": Input("money", "0::BIGINT"),
    "special_review": Input("text", "NULL::VARCHAR"),
    "special_review_amount": Input("money", "NULL::BIGINT"),
    "special_review_points": Input("decimal", "NULL::BIGINT", 4),
    "readmission_justified": Input("text", "NULL::VARCHAR"),  # "yes": the next stay had good reason
    "tcm_share": Input("decimal", "NULL::BIGINT", 4),
    "tcm_outcome": Input("text", "NULL::VARCHAR"),
    "tcm_pathway": Input("text", "NULL::VARCHAR"),
    "hospital_coefficient": Input("decimal", digits=8),
    # of the whole run, not of a file
    "hospital_cases": Input("window"),
    "area_cases": Input("window"),
    "readmitted_after": Input("window"),
}
# what grouping says of a case beside its group
GROUPED = ("status", "reason", "dip_kind", "primary_care", "score")
ALWAYS = ("record_id", "hospital_code", "insurance_type", "group", "status", "total_cost")
DECIDED = (
    "auxiliary_coefficient",
    "unreasonable_cost",
    "new_technology_cost",
    "special_review",
    "special_review_amount",
    "special_review_points",
    "readmission_justified",
    "tcm_share",
    "tcm_outcome",
    "tcm_pathway",
)


def sources(name: str) -> list[str]:
    """The columns that an input may come from, the first there is; "[1]" behind one: its first entry.

    The group comes from the column of groups of whichever family grouped the file.
    """
    if name == "group":
        return [each.GROUP for each in families()]
    return [INPUTS[name].of or name]


def names_in(expr: Expr) -> set[str]:
    """The columns that a formula reads."""
    found: set[str] = set()
    for part in walk(expr):
        if isinstance(part, Field | Text | Bool | OneOf | AnyPrefix):
            found.add(part.name)
        elif isinstance(part, Lookup):
            found.update(part.keys)
        elif isinstance(part, Rank):
            found.update(part.within)
    return found


def needed(expressions: Iterable[tuple[str, Expr]]) -> list[str]:
    """The input columns that an ordered list of (column, formula) reads, in the order of INPUTS."""
    made: set[str] = set()
    read: set[str] = set(ALWAYS)
    for name, expr in expressions:
        read |= names_in(expr) - made
        made.add(name)
    unknown = read - set(INPUTS)
    if unknown:
        raise KeyError(f"no such input column: {sorted(unknown)}")
    if "readmitted_after" in read:
        read |= {"person_id", "admission_date", "discharge_date", "diagnoses"}
    return [name for name in INPUTS if name in read]


def input_sql(name: str, kind: pa.DataType, quoted: str) -> str:
    """SQL of an input column from the file's column ``quoted`` of Arrow type ``kind``."""
    spec = INPUTS[name]
    if spec.kind == "text":
        return f"nullif(trim(CAST({quoted} AS VARCHAR)), '')" if not is_text(kind) else quoted
    if spec.kind == "int":
        number = whole(quoted) if is_text(kind) else f"CAST({quoted} AS INTEGER)"
        return f"CASE WHEN {number} BETWEEN 0 AND {MOST[name]} THEN {number} END" if name in MOST else number
    if spec.kind == "flag":
        return f"CAST({quoted} AS BOOLEAN)"
    if spec.kind == "date":
        return day(quoted) if is_text(kind) else f"CAST({quoted} AS DATE)"
    if spec.kind == "list":  # a CSV has the codes of a case in one cell
        return f"string_split(nullif({quoted}, ''), '|')" if is_text(kind) else quoted
    quoted = amount(quoted) if spec.kind == "money" and is_text(kind) else quoted
    digits = 2 if spec.kind == "money" else spec.digits
    return f"CAST(CAST({quoted} AS DECIMAL(18,{digits})) * {10**digits} AS BIGINT)"


def missing(zh: str, en: str, path: str, policy: str) -> UsageError:
    """The error for columns that the policy reads and the file lacks, named in Chinese and English."""
    return UsageError(
        zh=f"{path} 缺少列 {zh}，政策 {policy} 需要它们；请用 --columns 指明来源列，"
        "或由 --hospitals（医院属性）、--decisions（逐例决定）给出",
        en=f"{path} lacks the column {en}, which policy {policy} reads; name its source with --columns, "
        "or give it by --hospitals (properties of hospitals) or --decisions (decisions by case)",
    )


@dataclass(frozen=True)
class Files:
    """What a run reads. ``date``: the column that chooses the parameters of a case. ``gate``: what decides
    which rows are cases; None where somebody did before. ``stay``: "given", "nights" or "days"; "" as the
    files were grouped. ``hold_above``: a case of which funds paid more than it cost is held; it was paid in
    lakes of formats 1 and 2."""

    paths: Sequence[str]
    columns: ColumnMap | None = None
    hospitals: str | None = None
    decisions: str | None = None
    date: str = "discharge_date"
    as_of: datetime.date | None = None
    gate: Gate | None = None
    scheme_differs: bool = False
    stay: str = ""
    hold_above: bool = True
