# cython: language_level=3
"""The DRG kernel: int32 code ids and plain numbers in, group numbers out, no Python inside.

A compiled scheme (grouper/grouping/drg/compile.py) is a sequence of rows. Codes that stand in the same
lists form a class; per class there is a bitset over the rows that the class can satisfy.
The bitsets of a record's codes are joined, and the candidate rows that are left are tried
in order; what the bitsets cannot say is a short postfix program per row. Truth has three
values, so that a missing number is noticed exactly where it could decide the group.
"""

cimport cython
from libc.math cimport NAN, isnan
from libc.stdint cimport int32_t, uint8_t, uint64_t

from grouper._fast.checks cimport check_ids, read_fields
from grouper._fast.drg_tables cimport *

cdef extern from *:
    """
    #define grouper_ctz __builtin_ctzll
    #define grouper_popcount __builtin_popcountll
    """
    int grouper_ctz(unsigned long long) nogil
    int grouper_popcount(unsigned long long) nogil

# Truth values: and = min, or = max, not = 2 - x.
cdef enum:
    FALSE = 0
    UNKNOWN = 1
    TRUE = 2

cdef enum:
    SEX_FIELD = 0
    AGE_FIELD = 1
    WEIGHT_FIELD = 3

cdef enum:
    ADMISSION_WEIGHT_BIT = 10  # of grouper.base.reasons.Flag: its reason stands behind those of the other flags

cdef struct Record:
    const int32_t* dx
    const int32_t* proc
    Py_ssize_t n_dx, n_proc
    double fields[FIELDS]
    int severity    # bit 0: CC, bit 1: MCC
    int severity_by # code id of the diagnosis that gave it
    uint64_t missing


@cython.final
cdef class DrgProgram(DrgTables):
    """A compiled scheme. Immutable, so one program serves many threads.

    Built from a mapping of arrays and numbers (grouper.grouping.drg.compile.CompiledScheme.kernel_arrays);
    every index in them is checked here, once. Raises ValueError when one is out of range.
    """

    # --- one record -------------------------------------------------------------------------

    cdef inline bint _has(self, const int32_t* ids, Py_ssize_t n, int where, int bit, bint dx) noexcept nogil:
        """Whether a code at the positions (1 principal, 2 other, 3 any) has the list bit."""
        cdef Py_ssize_t i = 1 if where == 2 else 0
        cdef Py_ssize_t end = (1 if n else 0) if where == 1 else n
        cdef int word = bit >> 6
        cdef uint64_t mask = <uint64_t>1 << (bit & 63)
        while i < end:
            if dx:
                if self.dx_bits[self.dx_class[ids[i]] * <Py_ssize_t>self.dx_lists + word] & mask:
                    return True
            elif self.proc_bits[self.proc_class[ids[i]] * <Py_ssize_t>self.proc_lists + word] & mask:
                return True
            i += 1
        return False

    cdef int _count(self, const int32_t* ids, Py_ssize_t n, int where, int bit, bint dx) noexcept nogil:
        """How many different codes at the positions have the list bit."""
        cdef Py_ssize_t first = 1 if where == 2 else 0, i, k
        cdef Py_ssize_t end = (1 if n else 0) if where == 1 else n
        cdef int total = 0
        for i in range(first, end):
            if self._has(ids + i, 1, 3, bit, dx):
                for k in range(first, i):
                    if ids[k] == ids[i]:
                        break
                else:
                    total += 1
        return total

    cdef int _sites(self, Record* r) noexcept nogil:
        """How many of the site lists hold at least one diagnosis."""
        cdef int total = 0, s
        for s in range(self.site_count):
            total += self._has(r.dx, r.n_dx, 3, self.site_first + s, True)
        return total

    cdef int _run(self, const int32_t* check, Record* r, uint64_t* missing) noexcept nogil:
        """The truth of a program; ``missing`` gathers the fields that it lacked."""
        cdef uint8_t stack[MAX_STACK + 1]
        cdef int depth = 0, k, i, a, b, c, value
        cdef const int32_t* step
        if check[1] == 0:
            return TRUE
        for k in range(check[0], check[0] + check[1]):
            step = &self.code[4 * k]
            a = step[1]
            b = step[2]
            c = step[3]
            if step[0] == OP_NUMBER:
                if isnan(r.fields[a]):
                    missing[0] |= <uint64_t>1 << a
                    value = UNKNOWN
                else:
                    value = TRUE if _compare(r.fields[a], b, c) else FALSE
            elif step[0] == OP_AND:
                value = TRUE
                for i in range(a):
                    depth -= 1
                    value = min(value, <int>stack[depth])
            elif step[0] == OP_OR:
                value = FALSE
                for i in range(a):
                    depth -= 1
                    value = max(value, <int>stack[depth])
            elif step[0] == OP_NOT:
                depth -= 1
                value = TRUE - stack[depth]
            elif step[0] == OP_DX:
                value = TRUE if self._has(r.dx, r.n_dx, a, b, True) else FALSE
            elif step[0] == OP_PROC:
                value = TRUE if self._has(r.proc, r.n_proc, a, b, False) else FALSE
            elif step[0] == OP_SEVERITY:
                value = TRUE if r.severity & a else FALSE
            elif step[0] == OP_NO_PROC:
                value = TRUE if r.n_proc == 0 else FALSE
            elif step[0] == OP_SITES:
                value = TRUE if _compare(self._sites(r), a, b) else FALSE
            elif step[0] == OP_COUNT_DX:
                value = TRUE if _compare(self._count(r.dx, r.n_dx, a, b, True), c >> 16, c & 65535) else FALSE
            elif step[0] == OP_COUNT_PROC:
                value = TRUE if _compare(self._count(r.proc, r.n_proc, a, b, False), c >> 16, c & 65535) else FALSE
            else:
                value = a
            stack[depth] = <uint8_t>value
            depth += 1
        return stack[0]

    cdef void _severity(self, Record* r) noexcept nogil:
        """MCC and CC among the other diagnoses, without those that the principal one excludes."""
        cdef Py_ssize_t i = 0 if self.principal_counts else 1
        cdef int32_t k, code, principal = r.dx[0]
        cdef int level
        cdef bint out
        r.severity = 0
        r.severity_by = 0
        while i < r.n_dx:
            code = r.dx[i]
            i += 1
            level = self.level[code]
            if level == 0:
                continue
            out = False
            for k in range(self.excluded_start[principal], self.excluded_start[principal + 1]):
                if self.excluded[k] == self.table[code]:
                    out = True
                    break
            if out:
                continue
            if (level & 2) > (r.severity & 2) or r.severity == 0:
                r.severity_by = code
            r.severity |= level

    cdef inline uint64_t _candidates(self, Record* r, Py_ssize_t word) noexcept nogil:
        """The rows of one word of the bitsets that the codes, sex and age of the record allow."""
        cdef Py_ssize_t w = self.words, k
        cdef uint64_t bits = self.row_mask[word] & self.dx_rows[self.dx_class[r.dx[0]] * w + word]
        cdef uint64_t first, second
        if bits == 0:
            return 0
        if r.n_proc == 0:
            bits &= self.no_proc_rows[word]
        else:
            bits &= self.proc_rows[self.proc_class[r.proc[0]] * w + word]
        # A known sex or age rules rows out; a missing one leaves them to their programs.
        if r.fields[AGE_FIELD] > 0:
            bits &= ~self.infant_rows[word]
        if r.fields[SEX_FIELD] == 1:
            bits &= ~self.female_rows[word]
        elif r.fields[SEX_FIELD] == 2:
            bits &= ~self.male_rows[word]
        if bits & ~(self.any1_always[word] & self.any2_always[word]):
            first = self.any1_always[word]
            second = self.any2_always[word]
            for k in range(r.n_proc):
                first |= self.any1_rows[self.proc_class[r.proc[k]] * w + word]
                second |= self.any2_rows[self.proc_class[r.proc[k]] * w + word]
            bits &= first & second
        if bits & ~self.any_dx_always[word]:
            first = self.any_dx_always[word]
            for k in range(r.n_dx):
                first |= self.any_dx_rows[self.dx_class[r.dx[k]] * w + word]
            bits &= first
        return bits

    cdef int _group(self, Record* r, int32_t* result) noexcept nogil:
        """The reason; the number of the group goes to ``result``. Adds to ``r.missing``."""
        cdef Py_ssize_t i
        cdef uint64_t bits, lacking, pending = 0
        cdef int row, block, truth, pending_block = -1, group
        for i in range(self.words):
            bits = self._candidates(r, i)
            while bits:
                row = <int>(64 * i) + grouper_ctz(bits)
                bits &= bits - 1
                block = self.row_block[row]
                if block != pending_block:
                    r.missing |= pending
                    pending = 0
                    pending_block = block
                lacking = 0
                truth = self._run(&self.row_check[2 * row], r, &lacking)
                if truth == UNKNOWN:
                    pending |= lacking
                if truth != TRUE:
                    continue
                # Another row of the same ADRG may have lacked data, but this one holds without.
                pending = 0
                if self.block_kind[block] >= BLOCK_AMBIGUOUS:
                    result[0] = self.block_result[block]
                    if self.block_kind[block] == BLOCK_UNGROUPED:
                        return self.reasons.ends
                    if self.block_kind[block] == BLOCK_UNFITTING:
                        return self.reasons.unfitting
                    return self.reasons.ambiguous
                for group in range(self.block_groups[block], self.block_groups[block + 1]):
                    lacking = 0
                    truth = self._run(&self.group_check[2 * group], r, &lacking)
                    if truth == UNKNOWN:
                        r.missing |= lacking
                    elif truth == TRUE:
                        result[0] = self.group_result[group]
                        return self.reasons.grouped
                if self.block_kind[block] == BLOCK_STOP:
                    result[0] = self.block_result[block]
                    return self.reasons.no_drg
        r.missing |= pending
        result[0] = 0
        return self._why_ungrouped(r)

    cdef int _why_ungrouped(self, Record* r) noexcept nogil:
        cdef Py_ssize_t i
        cdef uint64_t lacking = 0
        if r.dx[0] == 0:
            return self.reasons.unknown
        for i in range(self.entry_check.shape[0] // 2):
            if self._run(&self.entry_check[2 * i], r, &lacking) == TRUE:
                return self.reasons.no_adrg
        if r.dx[0] > self.scheme_dx:
            return self.reasons.not_in_scheme
        return self.reasons.no_mdc

    cdef int _record(self, Record* r, int32_t* result) noexcept nogil:
        """Group one sound record, with the retry rule where the scheme has it."""
        cdef const int32_t* procedures = r.proc
        cdef Py_ssize_t n = r.n_proc, i
        cdef int reason, again
        self._severity(r)
        reason = self._group(r, result)
        if self.retry and result[0] == 0 and n > 1:
            r.n_proc = 1
            for i in range(1, n):
                r.proc = procedures + i
                again = self._group(r, result)
                if result[0] != 0:
                    reason = again
                    break
            r.proc = procedures
            r.n_proc = n
        return reason

    # --- a batch ----------------------------------------------------------------------------

    def group(
        self, Py_ssize_t rows, const int32_t[::1] dx_offsets, const int32_t[::1] dx_ids,
        const int32_t[::1] proc_offsets, const int32_t[::1] proc_ids, list fields not None,
        const int32_t[::1] flags, int32_t[::1] results, int32_t[::1] reasons,
        int32_t[::1] severity, int32_t[::1] severity_by, int32_t[::1] warnings,
    ):
        """Group ``rows`` records.

        ``dx_offsets`` and ``proc_offsets`` hold rows + 1 positions into the ids; the first
        diagnosis of a record is the principal one. ``fields`` holds eight float64 buffers of
        ``rows`` values, NaN for missing, or None for a column that is missing altogether:
        sex, age, age in days, weight (g, the one that the scheme reads), stay, ICU hours, discharge way, department.
        ``flags``: grouper.base.reasons.Flag of each row, or None.

        The outputs take, per row: the number of the result, the number of the reason, severity
        (0 none, 1 CC, 2 MCC), the id of the diagnosis that gave it (0 none), and warnings
        (1 an unknown diagnosis, 2 an unknown procedure).
        Raises ValueError when an offset or id is out of range; nothing is then valid.
        """
        cdef const double* column[FIELDS]
        cdef Py_ssize_t i
        cdef int f
        cdef Record r
        read_fields(fields, rows, FIELDS, column)
        if min(
            results.shape[0], reasons.shape[0], severity.shape[0], severity_by.shape[0], warnings.shape[0]
        ) < rows:
            raise ValueError("an output buffer is too short")
        if flags is not None and flags.shape[0] < rows:
            raise ValueError("the flags are too short")
        check_ids(dx_offsets, dx_ids, rows, self.n_dx, -1, "diagnosis")
        check_ids(proc_offsets, proc_ids, rows, self.n_proc, -2, "procedure")
        if rows == 0:
            return
        cdef const int32_t* all_dx = &dx_ids[0] if dx_ids.shape[0] else NULL
        cdef const int32_t* all_proc = &proc_ids[0] if proc_ids.shape[0] else NULL
        with nogil:
            for i in range(rows):
                r.dx = all_dx + dx_offsets[i]
                r.n_dx = dx_offsets[i + 1] - dx_offsets[i]
                r.proc = all_proc + proc_offsets[i]
                r.n_proc = proc_offsets[i + 1] - proc_offsets[i]
                r.missing = 0
                for f in range(FIELDS):
                    r.fields[f] = NAN if column[f] == NULL else column[f][i]
                if r.fields[WEIGHT_FIELD] == 0:
                    r.fields[WEIGHT_FIELD] = NAN
                results[i] = -1
                severity[i] = 0
                severity_by[i] = 0
                warnings[i] = 0
                reasons[i] = self._unusable(&r, flags[i] if flags is not None else 0)
                if reasons[i] >= 0:
                    continue
                warnings[i] = self._unknown_codes(&r)
                reasons[i] = self._record(&r, &results[i])
                if r.missing:
                    reasons[i] = self._missing(r.missing)
                severity[i] = 2 if r.severity & 2 else r.severity
                severity_by[i] = r.severity_by

    cdef inline int _unknown_codes(self, Record* r) noexcept nogil:
        """Warnings: 1 for an unknown diagnosis, 2 for an unknown procedure."""
        cdef Py_ssize_t k
        cdef int found = 0
        for k in range(r.n_dx):
            found |= r.dx[k] == 0
        for k in range(r.n_proc):
            if r.proc[k] == 0:
                found |= 2
        return found

    cdef int _unusable(self, Record* r, int32_t flags) noexcept nogil:
        """The reason why a record cannot be grouped at all, or -1."""
        cdef Py_ssize_t k
        if r.n_dx == 0 or r.dx[0] < 0:
            return self.reasons.no_principal
        for k in range(1, r.n_dx):
            if r.dx[k] < 0:
                return self.reasons.no_principal
        for k in range(r.n_proc):
            if r.proc[k] < 0:
                return self.reasons.lost_zero
        if flags:
            k = grouper_ctz(<unsigned int>flags)
            return self.reasons.bad_admission_weight if k == ADMISSION_WEIGHT_BIT else self.reasons.flags + k
        return -1

    cdef inline int _missing(self, uint64_t missing) noexcept nogil:
        """The reason for the first of the fields that a group hangs on and that are missing."""
        cdef int field = grouper_ctz(missing)
        return self.reasons.missing_weight if field == WEIGHT_FIELD else self.reasons.missing + field


cdef inline bint _compare(double value, int op, int other) noexcept nogil:
    if op == LT:
        return value < other
    if op == LE:
        return value <= other
    if op == GT:
        return value > other
    if op == GE:
        return value >= other
    return value == other
