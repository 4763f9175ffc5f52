# cython: language_level=3
"""Marks of codes that a scheme does not use: one pass over a grouped batch sets the warnings of its rows.

A code is an id: 1 to the number of known codes; 0 and ids behind those are codes that no list knows,
negative ids stand for no code. What a mark means is the caller's affair: bits in, bits out.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from grouper._fast.checks cimport check_ids, check_within

cdef int64_t ANY_ID = 1 << 31


@cython.final
cdef class MarkTable:
    """Bits of each code by its id, and what follows from them. Immutable; many threads may share one.

    ``principal``, ``main``, ``each``: bits of a principal diagnosis, a main procedure, any procedure;
    the entry of id 0 is not read. ``unknown``: the bits of a main procedure that no list knows.
    ``keep``: by the number of a reason, the bits that a row of it may carry. ``after``: by the number of
    a reason, two more numbers: the reason of a row with a bit of ``first_bits``, then of ``second_bits``.
    Raises ValueError when the sizes differ or a reason is out of range.
    """

    cdef const int32_t[::1] principal, main, each, keep, after
    cdef int32_t unknown, first_bits, second_bits

    def __init__(
        self, const int32_t[::1] principal not None, const int32_t[::1] main not None,
        const int32_t[::1] each not None, const int32_t[::1] keep not None,
        const int32_t[::1] after not None, int32_t unknown, int32_t first_bits, int32_t second_bits,
    ):
        if not principal.shape[0] or not main.shape[0] or main.shape[0] != each.shape[0]:
            raise ValueError("the marks of codes have different sizes")
        if after.shape[0] != 2 * keep.shape[0]:
            raise ValueError("the reasons have different sizes")
        check_within(after, 0, keep.shape[0], "after")
        self.principal, self.main, self.each, self.keep, self.after = principal, main, each, keep, after
        self.unknown, self.first_bits, self.second_bits = unknown, first_bits, second_bits

    def apply(
        self, Py_ssize_t rows, const int32_t[::1] dx_offsets, const int32_t[::1] dx_ids,
        const int32_t[::1] proc_offsets, const int32_t[::1] proc_ids,
        int32_t[::1] reasons, int32_t[::1] warnings,
    ):
        """Add the bits of each row to ``warnings``, and change its reason where one follows.

        Raises ValueError when an offset or a reason is out of range; then nothing was changed.
        """
        cdef Py_ssize_t i, k, known_dx = self.principal.shape[0], known = self.main.shape[0]
        cdef int32_t id, bits
        if rows < 0 or min(reasons.shape[0], warnings.shape[0]) < rows:
            raise ValueError("a buffer is too short")
        check_ids(dx_offsets, dx_ids, rows, ANY_ID, -ANY_ID, "diagnosis")
        check_ids(proc_offsets, proc_ids, rows, ANY_ID, -ANY_ID, "procedure")
        check_within(reasons[:rows], 0, self.keep.shape[0], "reasons")
        with nogil:
            for i in range(rows):
                bits = 0
                if dx_offsets[i] < dx_offsets[i + 1]:
                    id = dx_ids[dx_offsets[i]]
                    if 0 < id < known_dx:
                        bits = self.principal[id]
                if proc_offsets[i] < proc_offsets[i + 1]:
                    id = proc_ids[proc_offsets[i]]
                    if 0 < id < known:
                        bits |= self.main[id]
                    elif id >= 0:
                        bits |= self.unknown
                    for k in range(proc_offsets[i], proc_offsets[i + 1]):
                        id = proc_ids[k]
                        if 0 < id < known:
                            bits |= self.each[id]
                bits &= self.keep[reasons[i]]
                if bits:
                    warnings[i] |= bits
                    if bits & self.first_bits:
                        reasons[i] = self.after[2 * reasons[i]]
                    if bits & self.second_bits:
                        reasons[i] = self.after[2 * reasons[i] + 1]


def add_by_result(
    Py_ssize_t rows, const int32_t[::1] results, const int32_t[::1] adds, int32_t[::1] warnings
):
    """Add to each row's ``warnings`` the bits ``adds`` of its result; a negative result has none.

    Raises ValueError when a result is out of range or a buffer too short.
    """
    cdef Py_ssize_t i
    if rows < 0 or min(results.shape[0], warnings.shape[0]) < rows:
        raise ValueError("a buffer is too short")
    check_within(results[:rows], -1, adds.shape[0], "results")
    with nogil:
        for i in range(rows):
            if results[i] >= 0:
                warnings[i] |= adds[results[i]]
