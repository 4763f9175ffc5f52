"""What a scheme does not use: grey codes, codes "not used for grouping", and an unknown main operation.

Found beside the kernel, a whole batch at a time: warnings of each row, and the reasons that follow from
them. The group itself is never changed here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.arrow import int32_array, number_array
from grouper.base.reasons import REASON_NUMBER

# The bits of the column of warnings; the kernel sets the first two.
WARNINGS = (
    "unknown-diagnosis",
    "unknown-procedure",
    "principal-grey",
    "principal-not-for-grouping",
    "procedure-not-for-grouping",
    "main-procedure-unknown",
)
# What is said of a code, in words (Chinese, English).
MARKS = {
    "grey": (
        "医保灰码，本方案不用它分组；同一亚目的具体编码及其分组：",
        "a grey code: the scheme does not group by it; the specific codes of its subcategory give:",
    ),
    "not-for-grouping": (
        "方案列为不作为分组规则的编码；同一亚目的具体编码及其分组：",
        "a code that the scheme lists as not used for grouping; the specific codes of its subcategory give:",
    ),
}
GREY, OUT, PROCEDURE_OUT, MAIN_UNKNOWN = 4, 8, 16, 32
WARNING_TEXTS = [
    "|".join(name for bit, name in enumerate(WARNINGS) if number >> bit & 1)
    for number in range(1 << len(WARNINGS))
]
_OF_PRINCIPAL = [REASON_NUMBER[code] for code in ("no-mdc", "no-adrg", "principal-not-in-scheme")]
_OF_MAIN = [REASON_NUMBER[code] for code in ("grouped", "unrelated-procedure", "no-adrg", "no-drg")]


class Marks:
    """The marks of all codes of a scheme, by their ids. Immutable in use.

    ``grey`` and ``out`` are sets of codes (grey in the edition; listed by the scheme as not used for
    grouping); ``used`` are codes that some condition names, which are never marked as grey.
    """

    def __init__(
        self,
        diagnoses: Sequence[str],
        procedures: Sequence[str],
        *,
        grey: tuple[Collection[str], Collection[str]],
        out: tuple[Collection[str], Collection[str]] = ((), ()),
        used: Collection[str] = (),
    ) -> None:
        of_dx = [GREY * (code in grey[0]) | OUT * (code in out[0]) for code in diagnoses]
        self.known = len(procedures)
        self.used = frozenset(used) - {*grey[0], *grey[1], *out[0], *out[1]}
        self._dx = number_array([0, *of_dx], "i")
        idle = [PROCEDURE_OUT * (code in grey[1] and code not in used) for code in procedures]
        self._any = number_array([0, *idle], "i")
        self._main = number_array([0, *(PROCEDURE_OUT * (code in out[1]) for code in procedures)], "i")
        self._some_idle = any(idle)

    def bits(
        self, rows: int, dx: tuple[memoryview, memoryview], ops: tuple[memoryview, memoryview]
    ) -> pa.Array:
        """The warnings of each row (int32) from offsets and ids of its diagnoses and operations."""
        principal, _ = _first(rows, *dx)
        main, has = _first(rows, *ops)
        found = pc.take(self._dx, _known(principal, len(self._dx)))
        found = pc.bit_wise_or(found, pc.take(self._main, _known(main, len(self._main))))
        unknown = pc.and_(has, pc.or_(pc.equal(main, 0), pc.greater(main, self.known)))
        found = pc.bit_wise_or(found, pc.multiply(unknown.cast(pa.int32()), MAIN_UNKNOWN))
        if self._some_idle and len(ops[1]):
            every = int32_array(ops[1], len(ops[1]))
            idle = pc.greater(pc.take(self._any, _known(every, len(self._any))), 0)
            if pc.any(idle).as_py():
                lists = pa.ListArray.from_arrays(int32_array(ops[0], rows + 1), idle)
                here = pc.is_in(pa.arange(0, rows), value_set=pc.list_parent_indices(lists).filter(idle))
                found = pc.bit_wise_or(found, pc.multiply(here.cast(pa.int32()), PROCEDURE_OUT))
        return found

    def of(self, kind: str, id_: int, *, first: bool) -> str:
        """ "grey", "not-for-grouping" or "": the mark of one code; ``first``: principal, or main."""
        if kind == "diagnosis":
            bits = self._dx[id_].as_py() if first and 0 < id_ < len(self._dx) else 0
            return "grey" if bits & GREY else "not-for-grouping" if bits & OUT else ""
        if not 0 < id_ < len(self._any):
            return ""
        if self._any[id_].as_py():
            return "grey"
        return "not-for-grouping" if first and self._main[id_].as_py() else ""


def reasons_of(reason: pa.Array, warnings: pa.Array) -> pa.Array:
    """The reasons of rows whose principal diagnosis is not for grouping or main operation unknown."""
    if not (pc.max(warnings).as_py() or 0) >= GREY:
        return reason
    for bits, before, code in (
        (GREY | OUT, _OF_PRINCIPAL, "principal-not-for-grouping"),
        (MAIN_UNKNOWN, _OF_MAIN, "main-procedure-unknown"),
    ):
        marked = pc.greater(pc.bit_wise_and(warnings, bits), 0)
        change = pc.and_(marked, pc.is_in(reason, value_set=pa.array(before, pa.int32())))
        reason = pc.if_else(change, pa.scalar(REASON_NUMBER[code], pa.int32()), reason)
    return reason


def _first(rows: int, offsets: memoryview, ids: memoryview) -> tuple[pa.Array, pa.Array]:
    """The first id of each row (0 where it has none), and which rows have one."""
    if not rows or not len(ids):
        return number_array([0] * rows, "i"), pa.repeat(pa.scalar(False), rows)
    edges = int32_array(offsets, rows + 1)
    starts = edges.slice(0, rows)
    has = pc.less(starts, edges.slice(1, rows))
    first = pc.take(int32_array(ids, len(ids)), pc.if_else(has, starts, 0))
    return pc.if_else(has, first, 0).cast(pa.int32()), has


def _known(ids: pa.Array, number: int) -> pa.Array:
    """Ids below ``number``; blanks and codes that no list knows become 0."""
    sound = pc.and_(pc.greater_equal(ids, 0), pc.less(ids, number))
    return pc.if_else(sound, ids, 0)
