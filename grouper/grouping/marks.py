"""What a scheme does not use: grey codes, codes "not used for grouping", and an unknown main operation.

Found behind the kernel, in one pass over the batch: warnings of each row, and the reasons that follow from
them. The group itself is never changed here.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from grouper._fast.marks import MarkTable
from grouper.base.reasons import REASON_NUMBER, REASONS, Status

# The bits of the column of warnings; the kernel sets the first two.
WARNINGS = (
    "unknown-diagnosis",
    "unknown-procedure",
    "principal-grey",
    "principal-not-for-grouping",
    "procedure-not-for-grouping",
    "main-procedure-unknown",
    "untested-criterion",  # of the group: its name says what no condition tests
)
# What is said of a code, in words (Chinese, English).
MARKS = {
    "grey": (
        "医保灰码，本方案不用它分组；同一亚目的具体编码及其分组：",
        "a grey code: the scheme does not group by it; the specific codes of its subcategory give:",
    ),
    "grey-used": (
        "医保灰码，但方案的条件或并发症表列有它；同一亚目的具体编码及其分组：",
        "a grey code that the scheme names all the same; the specific codes of its subcategory give:",
    ),
    "not-for-grouping": (
        "方案列为不作为分组规则的编码；同一亚目的具体编码及其分组：",
        "a code that the scheme lists as not used for grouping; the specific codes of its subcategory give:",
    ),
}
GREY, OUT, PROCEDURE_OUT, MAIN_UNKNOWN, UNTESTED = 4, 8, 16, 32, 64
WARNING_TEXTS = [
    "|".join(name for bit, name in enumerate(WARNINGS) if number >> bit & 1)
    for number in range(1 << len(WARNINGS))
]
# The reasons that a mark replaces: a principal diagnosis that is not for grouping explains them better …
_OF_PRINCIPAL = ("no-mdc", "no-adrg", "principal-not-in-scheme")
# … and these hang on a main operation that no list knows.
_OF_MAIN = ("grouped", "unrelated-procedure", "unfitting-diagnosis", "no-adrg", "no-drg")


class Marks:
    """The marks of all codes of a scheme, by their ids. Immutable in use.

    ``grey`` and ``out`` are sets of codes (grey in the edition; listed by the scheme as not used for
    grouping); ``used`` are codes that some condition names, which are never marked as grey.
    ``decide``: a record that cannot be grouped keeps its reason and carries no marks, and the reasons of
    the others follow from their marks.
    """

    def __init__(
        self,
        diagnoses: Sequence[str],
        procedures: Sequence[str],
        *,
        grey: tuple[Collection[str], Collection[str]],
        out: tuple[Collection[str], Collection[str]] = ((), ()),
        used: Collection[str] = (),
        decide: bool,
    ) -> None:
        self.used = frozenset(used) - {*grey[0], *grey[1], *out[0], *out[1]}
        self._principal = _by_id(GREY * (code in grey[0]) | OUT * (code in out[0]) for code in diagnoses)
        self._main = _by_id(PROCEDURE_OUT * (code in out[1]) for code in procedures)
        self._each = _by_id(PROCEDURE_OUT * (code in grey[1] and code not in used) for code in procedures)
        self._table = MarkTable(
            self._principal,
            self._main,
            self._each,
            array("i", (0 if decide and reason.status == Status.INVALID else -1 for reason in REASONS)),
            _after(decide),
            MAIN_UNKNOWN,
            GREY | OUT,
            MAIN_UNKNOWN,
        )

    def apply(
        self,
        rows: int,
        dx: tuple[memoryview, memoryview],
        ops: tuple[memoryview, memoryview],
        reasons: memoryview,
        warnings: memoryview,
    ) -> None:
        """Add the marks of each row to ``warnings`` and change the ``reasons`` that follow from them.

        ``dx`` and ``ops``: offsets (rows + 1) and ids of the codes; the others int32, a number a row.
        """
        self._table.apply(rows, *dx, *ops, reasons, warnings)

    def of(self, kind: str, id_: int, *, first: bool) -> str:
        """ "grey", "not-for-grouping" or "": the mark of one code; ``first``: principal, or main."""
        if kind == "diagnosis":
            bits = self._principal[id_] if first and 0 < id_ < len(self._principal) else 0
            return "grey" if bits & GREY else "not-for-grouping" if bits & OUT else ""
        if not 0 < id_ < len(self._each):
            return ""
        if self._each[id_]:
            return "grey"
        return "not-for-grouping" if first and self._main[id_] else ""


def _by_id(bits: Iterable[int]) -> array[int]:
    """Bits by the id of a code; ids count from 1."""
    return array("i", chain((0,), bits))


def _after(decide: bool) -> array[int]:
    """For each reason the one behind a mark of the principal diagnosis, and behind an unknown operation."""
    numbers = array("i", (number for number in range(len(REASONS)) for _ in range(2)))
    if decide:
        for code in _OF_PRINCIPAL:
            numbers[2 * REASON_NUMBER[code]] = REASON_NUMBER["principal-not-for-grouping"]
        for code in _OF_MAIN:
            numbers[2 * REASON_NUMBER[code] + 1] = REASON_NUMBER["main-procedure-unknown"]
    return numbers
