"""The lists of a settlement list (diagnoses, operations, ICU stays, charges) as columns of its rows.

Both forms of the settlement list end here: the nodes of the JSON message and the flat tables. A
node is a table of texts with a column ``row`` (int64) that says to which settlement each entry
belongs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table
from grouper.records import scalars
from grouper.records.lists import count_per_row, offsets_of, present
from grouper.records.schema import CANONICAL
from grouper.records.values import clean, hours, parse_money

# Node -> its columns that are read. The first is the one without which an entry means nothing.
NODES: dict[str, tuple[str, ...]] = {
    "diseinfo": ("diag_code", "maindiag_flag", "diag_type", "adm_cond_type"),
    "oprninfo": ("oprn_oprt_code", "main_oprn_flag", "oprn_oprt_type", "oprn_oprt_date"),
    "icuinfo": ("scs_cutd_sum_dura",),
    "iteminfo": ("amt", "med_chrgitm"),
    "payinfo": ("fund_payamt", "fund_pay_type"),
}
# Node -> the canonical columns made of it.
MADE: dict[str, tuple[str, ...]] = {
    "diseinfo": ("diagnoses", "present_on_admission"),
    "oprninfo": ("procedures", "procedure_dates"),
    "icuinfo": ("icu_hours",),
    "iteminfo": ("total_cost",),
    "payinfo": ("fund_paid",),
}
# Node -> the column that says what an entry is for, and the canonical columns made by it.
PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "iteminfo": ("med_chrgitm", ("drug_cost", "consumable_cost")),
    "payinfo": (
        "fund_pay_type",
        (
            "pool_paid",
            "serious_illness_paid",
            "medical_aid_paid",
            "civil_servant_paid",
            "large_amount_paid",
            "account_paid",
        ),
    ),
}
_NOT_OF_FUNDS = ("account_paid",)  # a payment of the person's own account
_LIST = pa.list_(pa.string())
MADE_TYPES: dict[str, pa.DataType] = {
    "diagnoses": _LIST,
    "present_on_admission": _LIST,
    "procedures": _LIST,
    "procedure_dates": _LIST,
    # As text, because a duration that is not understood must reach the normaliser.
    "icu_hours": pa.string(),
    "total_cost": CANONICAL["total_cost"],
    "fund_paid": CANONICAL["fund_paid"],
} | {name: CANONICAL[name] for _, names in PARTS.values() for name in names}
_YES = pa.array(["1", "1.0", "01", "是", "主要", "主要诊断", "主要手术", "Y", "y", "true", "True", "TRUE"])
_WESTERN = pa.array(["1", "1.0", "01", "西医", "西医诊断"])


def made_columns(node: str, entries: pa.Table, known: pa.Array, counts: Counter[str]) -> dict[str, pa.Array]:
    """The canonical columns of one node; ``known`` (bool) are the settlements that have the node at all."""
    make = {"diseinfo": _diagnoses, "oprninfo": _procedures, "icuinfo": _icu_hours}.get(node)
    if make is not None:
        return make(entries.combine_chunks(), known, counts)
    return _amounts(node, entries.combine_chunks(), known, counts)


@lru_cache(maxsize=8)
def charge_fields(list_: str) -> dict[str, str]:
    """Code or word of a charge or a fund -> the canonical column that takes it; "" where none does."""
    path = tables_dir() / "records" / "charges.csv"
    table = read_table(path, needed=("list", "code", "word", "field"), kind=TableError)
    rows = [row for row in table if row.text("list") == list_]
    return {row.text(key): row.text("field") for row in rows for key in ("code", "word")}


def _amounts(node: str, entries: pa.Table, known: pa.Array, counts: Counter[str]) -> dict[str, pa.Array]:
    """The sum of a node, and its parts by fund or by charge.

    An entry of an unknown kind belongs to the sum, but leaves the parts of its settlement unknown.
    """
    (column, kind), (whole,) = NODES[node], MADE[node]
    table = charge_fields(kind)
    kinds = _array(entries[kind]).dictionary_encode()
    words = [_kind(word, table) for word in kinds.dictionary.to_pylist()]
    field = pa.array(words, pa.string()).take(kinds.indices)
    apart = pc.is_in(field, value_set=pa.array(_NOT_OF_FUNDS, pa.string()))
    made = {whole: _total(entries.filter(pc.invert(apart)), column, known, counts)}
    unclear = _array(entries["row"]).filter(pc.is_null(field))
    odd = pc.greater(count_per_row(unclear, len(known)), 0)
    if (number := pc.sum(odd).as_py()) and pc.any(pc.is_valid(field)).as_py():
        counts[f"{kind.replace('_', '-')}-unknown"] += number
    for name in PARTS[node][1]:
        own = entries.filter(pc.fill_null(pc.equal(field, name), False))
        part = _total(own, column, known, Counter())
        made[name] = pc.if_else(odd, pa.scalar(None, part.type), part)
    return made


def _kind(word: str | None, table: Mapping[str, str]) -> str | None:
    text = clean(word or "")[0]
    return table.get(text, table.get(text.zfill(2) if text.isdigit() else text))


def _diagnoses(entries: pa.Table, known: pa.Array, counts: Counter[str]) -> dict[str, pa.Array]:
    """Western diagnoses, the principal first, the others in the given order.

    A settlement without exactly one western principal gets an empty (null) principal: none of
    its other diagnoses may stand in for it.
    """
    kind = entries["diag_type"]
    western = pc.or_(pc.is_in(kind, value_set=_WESTERN), pc.invert(_given(kind)))
    if other := len(entries) - pc.sum(western).as_py() if len(entries) else 0:
        counts["other-than-western-diagnosis"] += other
    entries = entries.filter(pc.and_(western, _given(entries["diag_code"])))
    rows = _array(entries["row"])
    main = pc.is_in(_array(entries["maindiag_flag"]), value_set=_YES)
    mains = count_per_row(rows.filter(main), len(known))
    one = pc.equal(mains, 1)
    without = pc.and_(pc.invert(one), pc.greater(count_per_row(rows, len(known)), 0))
    if number := pc.sum(pc.greater(mains, 1)).as_py():
        counts["several-principal-diagnoses"] += number
    if number := pc.sum(pc.and_(without, pc.equal(mains, 0))).as_py():
        counts["no-principal-diagnosis"] += number
    empty = pa.arange(0, len(known)).filter(without)
    nothing = pa.nulls(len(empty), pa.string())
    first = pc.and_(main, one.take(rows))
    order = _order(pa.concat_arrays([empty, rows]), pa.concat_arrays([_yes(len(empty)), first]))
    lengths = pc.add(count_per_row(rows, len(known)), without.cast(pa.int64()))
    made = {}
    for name, column in (("diagnoses", "diag_code"), ("present_on_admission", "adm_cond_type")):
        values = pa.concat_arrays([nothing, _array(entries[column])])
        made[name] = pa.ListArray.from_arrays(offsets_of(lengths), values.take(order))
    return made


def _procedures(entries: pa.Table, known: pa.Array, counts: Counter[str]) -> dict[str, pa.Array]:
    """Operations, those marked as main first, the others in the given order; repeats kept."""
    entries = entries.filter(_given(entries["oprn_oprt_code"]))
    rows = _array(entries["row"])
    # 4101A has a flag of its own; in 4101 the kind of operation says it.
    flag = pc.coalesce(_array(entries["main_oprn_flag"]), _array(entries["oprn_oprt_type"]))
    main = pc.is_in(flag, value_set=_YES)
    if number := pc.sum(pc.greater(count_per_row(rows.filter(main), len(known)), 1)).as_py():
        counts["several-main-procedures"] += number
    order = _order(rows, main)
    offsets = offsets_of(count_per_row(rows, len(known)))
    return {
        "procedures": pa.ListArray.from_arrays(offsets, _array(entries["oprn_oprt_code"]).take(order)),
        "procedure_dates": pa.ListArray.from_arrays(offsets, _array(entries["oprn_oprt_date"]).take(order)),
    }


def _icu_hours(entries: pa.Table, known: pa.Array, counts: Counter[str]) -> dict[str, pa.Array]:
    """Hours summed over the ICU stays, as text; the text of a stay that is not understood in its place."""
    rows, texts = _array(entries["row"]), _array(entries["scs_cutd_sum_dura"])
    column = scalars.parsed(texts, hours(1), pa.float64(), Counter(), "")
    bad = column.bad if column.bad is not None else pc.invert(_yes(len(rows)))
    unknown = pc.and_(pc.is_null(column.values), pc.invert(bad))
    total = _sum_per_row(rows, column.values, len(known)).cast(pa.string())
    missing = pc.greater(count_per_row(rows.filter(unknown), len(known)), 0)
    if number := pc.sum(missing).as_py():
        counts["icu-stay-without-duration"] += number
    total = pc.if_else(pc.and_(known, pc.invert(missing)), total, pa.scalar(None, pa.string()))
    raw = texts.filter(bad).take(pc.index_in(pa.arange(0, len(known)), value_set=rows.filter(bad)))
    return {"icu_hours": pc.coalesce(raw, total)}


def _total(entries: pa.Table, column: str, known: pa.Array, counts: Counter[str]) -> pa.Array:
    """Yuan summed per settlement; null where an amount is not understood."""
    rows = _array(entries["row"])
    amounts = scalars.parsed(_array(entries[column]), parse_money, CANONICAL["total_cost"], Counter(), "")
    total = _sum_per_row(rows, amounts.values, len(known)).cast(CANONICAL["total_cost"])
    if amounts.bad is not None:
        spoilt = pc.greater(count_per_row(rows.filter(amounts.bad), len(known)), 0)
        counts[f"{column}-not-understood"] += pc.sum(spoilt).as_py()
        known = pc.and_(known, pc.invert(spoilt))
    return pc.if_else(known, total, pa.scalar(None, total.type))


def _given(column: pa.ChunkedArray) -> pa.Array:
    return present(_array(column))


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _yes(length: int) -> pa.Array:
    return pa.repeat(pa.scalar(True), length)


def _order(rows: pa.Array, first: pa.Array) -> pa.Array:
    """Indices that sort entries by row, those marked ``first`` before the others; stable."""
    return pc.sort_indices(pc.add(pc.multiply(rows, 2), pc.invert(first).cast(pa.int64())))


def _sum_per_row(rows: pa.Array, values: pa.Array, number: int) -> pa.Array:
    zeros = pa.repeat(pa.scalar("0").cast(values.type), number)
    table = pa.table(
        {"row": pa.concat_arrays([rows, pa.arange(0, number)]), "v": pa.concat_arrays([values, zeros])}
    )
    return _array(table.group_by("row", use_threads=False).aggregate([("v", "sum")]).sort_by("row")["v_sum"])
