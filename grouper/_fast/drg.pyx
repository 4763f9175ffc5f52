# cython: language_level=3
"""The DRG kernel: int32 code ids and plain numbers in, group numbers out, no Python inside.

A compiled scheme (grouper/compile.py) is a sequence of rows. Codes that stand in the same
lists form a class; per class there is a bitset over the rows that the class can satisfy.
The bitsets of a record's codes are joined, and the candidate rows that are left are tried
in order; what the bitsets cannot say is a short postfix program per row. Truth has three
values, so that a missing number is noticed exactly where it could decide the group.
"""

from libc.math cimport NAN, isnan
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

cdef enum:
    MAX_WORDS = 64
    MAX_STACK = 64
    FIELDS = 8

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

# Instructions: four numbers each (operation, a, b, c).
cdef enum:
    OP_CONST = 0        # a: truth value
    OP_NUMBER = 1       # a: field, b: comparison, c: value
    OP_DX = 2           # a: positions (1 principal, 2 other, 3 any), b: list bit
    OP_PROC = 3
    OP_NO_PROC = 4
    OP_SEVERITY = 5     # a: 1 CC, 2 MCC
    OP_SITES = 6        # a: comparison, b: value
    OP_COUNT_DX = 7     # a: positions, b: list bit, c: comparison * 65536 + value
    OP_COUNT_PROC = 8
    OP_AND = 9          # a: number of operands
    OP_OR = 10
    OP_NOT = 11
    OPERATIONS = 12

cdef enum:
    LT = 0
    LE = 1
    GT = 2
    GE = 3
    EQ = 4

cdef enum:
    SEX_FIELD = 0
    AGE_FIELD = 1
    WEIGHT_FIELD = 3

# What a row of ADRG ("block") does when its condition holds.
cdef enum:
    BLOCK_NEXT = 0       # try its groups; without one, go on
    BLOCK_STOP = 1       # try its groups; without one, end with the block's own result
    BLOCK_AMBIGUOUS = 2  # end with the block's own result

# Numbers of grouper.reasons.REASONS that the kernel gives; checked when a program is built.
cdef struct Reasons:
    int32_t grouped, ambiguous, no_mdc, no_adrg, no_drg, not_in_scheme, unknown, missing, no_principal
    int32_t lost_zero, flags

cdef struct Record:
    const int32_t* dx
    const int32_t* proc
    Py_ssize_t n_dx, n_proc
    double fields[FIELDS]
    int severity    # bit 0: CC, bit 1: MCC
    int severity_by # code id of the diagnosis that gave it
    uint64_t missing


cdef class DrgProgram:
    """A compiled scheme. Immutable, so one program serves many threads.

    Built from a mapping of arrays and numbers (grouper.compile.CompiledScheme.kernel_arrays);
    every index in them is checked here, once. Raises ValueError when one is out of range.
    """

    cdef int words, dx_lists, proc_lists, site_first, site_count
    cdef bint retry, principal_counts
    cdef int32_t n_dx, n_proc, scheme_dx
    cdef readonly int results
    cdef Reasons reasons
    cdef const int32_t[::1] dx_class, proc_class, level, table, excluded_start, excluded
    cdef const uint64_t[::1] dx_rows, any_dx_rows, dx_bits, proc_rows, any1_rows, any2_rows, proc_bits
    cdef const uint64_t[::1] any_dx_always, any1_always, any2_always, no_proc_rows, row_mask, infant_rows, male_rows, female_rows
    cdef const int32_t[::1] row_block, row_check, block_kind, block_result, block_groups
    cdef const int32_t[::1] group_check, group_result, entry_check, code
    cdef int32_t dx_classes, proc_classes

    def __init__(self, dict spec not None):
        self.words = spec["words"]
        self.dx_lists = spec["dx_list_words"]
        self.proc_lists = spec["proc_list_words"]
        self.site_first = spec["site_first"]
        self.site_count = spec["site_count"]
        self.retry = spec["retry_other_procedures"]
        self.principal_counts = spec["principal_counts"]
        self.scheme_dx = spec["scheme_dx"]
        self.results = spec["results"]
        self.dx_classes = spec["dx_classes"]
        self.proc_classes = spec["proc_classes"]
        self.dx_class = spec["dx_class"]
        self.proc_class = spec["proc_class"]
        self.level = spec["level"]
        self.table = spec["table"]
        self.excluded_start = spec["excluded_start"]
        self.excluded = spec["excluded"]
        self.dx_rows = spec["dx_rows"]
        self.any_dx_rows = spec["any_dx_rows"]
        self.dx_bits = spec["dx_bits"]
        self.proc_rows = spec["proc_rows"]
        self.any1_rows = spec["any1_rows"]
        self.any2_rows = spec["any2_rows"]
        self.proc_bits = spec["proc_bits"]
        self.any_dx_always = spec["any_dx_always"]
        self.any1_always = spec["any1_always"]
        self.any2_always = spec["any2_always"]
        self.no_proc_rows = spec["no_proc_rows"]
        self.row_mask = spec["row_mask"]
        self.infant_rows = spec["infant_rows"]
        self.male_rows = spec["male_rows"]
        self.female_rows = spec["female_rows"]
        self.row_block = spec["row_block"]
        self.row_check = spec["row_check"]
        self.block_kind = spec["block_kind"]
        self.block_result = spec["block_result"]
        self.block_groups = spec["block_groups"]
        self.group_check = spec["group_check"]
        self.group_result = spec["group_result"]
        self.entry_check = spec["entry_check"]
        self.code = spec["code"]
        self.n_dx = <int32_t>self.dx_class.shape[0]
        self.n_proc = <int32_t>self.proc_class.shape[0]
        numbers = spec["reasons"]
        self.reasons.grouped = numbers["grouped"]
        self.reasons.ambiguous = numbers["unrelated-procedure"]
        self.reasons.no_mdc = numbers["no-mdc"]
        self.reasons.no_adrg = numbers["no-adrg"]
        self.reasons.no_drg = numbers["no-drg"]
        self.reasons.not_in_scheme = numbers["principal-not-in-scheme"]
        self.reasons.unknown = numbers["principal-unknown"]
        self.reasons.missing = numbers["missing-sex"]
        self.reasons.no_principal = numbers["no-principal-diagnosis"]
        self.reasons.lost_zero = numbers["lost-zero"]
        self.reasons.flags = numbers["bad-sex"]
        self._check()

    cdef int _check(self) except -1:
        cdef Py_ssize_t rows = self.row_block.shape[0], blocks = self.block_kind.shape[0]
        cdef Py_ssize_t groups = self.group_result.shape[0], w = self.words, i
        if not (0 < self.words <= MAX_WORDS and rows <= 64 * w and rows > 0):
            raise ValueError("too many rows")
        if not (0 < self.dx_lists <= MAX_WORDS and 0 < self.proc_lists <= MAX_WORDS):
            raise ValueError("too many lists")
        _below(self.dx_class, self.dx_classes, "dx_class")
        _below(self.proc_class, self.proc_classes, "proc_class")
        _size(self.dx_rows.shape[0], self.dx_classes * w, "dx_rows")
        _size(self.any_dx_rows.shape[0], self.dx_classes * w, "any_dx_rows")
        _size(self.dx_bits.shape[0], self.dx_classes * self.dx_lists, "dx_bits")
        _size(self.proc_rows.shape[0], self.proc_classes * w, "proc_rows")
        _size(self.any1_rows.shape[0], self.proc_classes * w, "any1_rows")
        _size(self.any2_rows.shape[0], self.proc_classes * w, "any2_rows")
        _size(self.proc_bits.shape[0], self.proc_classes * self.proc_lists, "proc_bits")
        _size(self.any_dx_always.shape[0], w, "any_dx_always")
        _size(self.any1_always.shape[0], w, "any1_always")
        _size(self.any2_always.shape[0], w, "any2_always")
        _size(self.no_proc_rows.shape[0], w, "no_proc_rows")
        _size(self.row_mask.shape[0], w, "row_mask")
        _size(self.infant_rows.shape[0], w, "infant_rows")
        _size(self.male_rows.shape[0], w, "male_rows")
        _size(self.female_rows.shape[0], w, "female_rows")
        _size(self.level.shape[0], self.n_dx, "level")
        _size(self.table.shape[0], self.n_dx, "table")
        _size(self.excluded_start.shape[0], self.n_dx + 1, "excluded_start")
        _rising(self.excluded_start, self.excluded.shape[0], "excluded_start")
        _below(self.row_block, blocks, "row_block")
        _size(self.row_check.shape[0], 2 * rows, "row_check")
        _size(self.block_result.shape[0], blocks, "block_result")
        _below(self.block_result, self.results, "block_result")
        _below(self.block_kind, 3, "block_kind")
        _size(self.block_groups.shape[0], blocks + 1, "block_groups")
        _rising(self.block_groups, groups, "block_groups")
        _size(self.group_check.shape[0], 2 * groups, "group_check")
        _below(self.group_result, self.results, "group_result")
        for i in range(64 * w):
            if i >= rows and (self.row_mask[i >> 6] >> <uint64_t>(i & 63)) & 1:
                raise ValueError("row_mask has a bit past the last row")
        if self.site_first < 0 or self.site_count < 0 or (
            self.site_first + self.site_count > 64 * self.dx_lists
        ):
            raise ValueError("site lists out of range")
        self._check_programs(self.row_check)
        self._check_programs(self.group_check)
        self._check_programs(self.entry_check)
        return 0

    cdef int _check_programs(self, const int32_t[::1] checks) except -1:
        """Every program stays inside ``code``, names lists that exist and leaves one value."""
        cdef Py_ssize_t i, k
        cdef int depth, op, a, b
        if checks.shape[0] % 2:
            raise ValueError("a program table has an odd length")
        for i in range(checks.shape[0] // 2):
            if checks[2 * i + 1] == 0:
                continue
            if checks[2 * i] < 0 or checks[2 * i + 1] < 0 or (
                4 * (<Py_ssize_t>checks[2 * i] + checks[2 * i + 1]) > self.code.shape[0]
            ):
                raise ValueError("a program leaves the code")
            depth = 0
            for k in range(checks[2 * i], checks[2 * i] + checks[2 * i + 1]):
                op = self.code[4 * k]
                a = self.code[4 * k + 1]
                b = self.code[4 * k + 2]
                if op in (OP_AND, OP_OR):
                    if a < 1 or a > depth:
                        raise ValueError("a program uses more values than it has")
                    depth -= a - 1
                elif op == OP_NOT:
                    if depth < 1:
                        raise ValueError("a program uses more values than it has")
                else:
                    depth += 1
                    if op < 0 or op >= OPERATIONS or depth > MAX_STACK:
                        raise ValueError("an unknown instruction, or a program that is too deep")
                    if op == OP_NUMBER and not (0 <= a < FIELDS and 0 <= b <= EQ):
                        raise ValueError("a comparison names no field")
                    if op in (OP_DX, OP_COUNT_DX) and not 0 <= b < 64 * self.dx_lists:
                        raise ValueError("a diagnosis list is out of range")
                    if op in (OP_PROC, OP_COUNT_PROC) and not 0 <= b < 64 * self.proc_lists:
                        raise ValueError("a procedure list is out of range")
            if depth != 1:
                raise ValueError("a program does not end with one value")
        return 0

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
                if self.block_kind[block] == BLOCK_AMBIGUOUS:
                    result[0] = self.block_result[block]
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
        sex, age, age in days, birth weight (g), stay, ICU hours, discharge way, department.
        ``flags``: grouper.reasons.Flag of each row, or None.

        The outputs take, per row: the number of the result, the number of the reason, severity
        (0 none, 1 CC, 2 MCC), the id of the diagnosis that gave it (0 none), and warnings
        (1 an unknown diagnosis, 2 an unknown procedure).
        Raises ValueError when an offset or id is out of range; nothing is then valid.
        """
        cdef const double* column[FIELDS]
        cdef const double[::1] values
        cdef Py_ssize_t i, k
        cdef int f
        cdef Record r
        cdef bint broken = False
        if rows < 0 or len(fields) != FIELDS:
            raise ValueError("rows and eight fields are needed")
        if min(
            results.shape[0], reasons.shape[0], severity.shape[0], severity_by.shape[0], warnings.shape[0]
        ) < rows:
            raise ValueError("an output buffer is too short")
        if flags is not None and flags.shape[0] < rows:
            raise ValueError("the flags are too short")
        _check_ids(dx_offsets, dx_ids, rows, self.n_dx, -1, "diagnosis")
        _check_ids(proc_offsets, proc_ids, rows, self.n_proc, -2, "procedure")
        for f in range(FIELDS):
            column[f] = NULL
            if fields[f] is not None:
                values = fields[f]
                if values.shape[0] < rows:
                    raise ValueError("a field is too short")
                column[f] = &values[0] if rows else NULL
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
                    reasons[i] = self.reasons.missing + grouper_ctz(r.missing)
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
            return self.reasons.flags + grouper_ctz(<unsigned int>flags)
        return -1


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


cdef int _size(Py_ssize_t found, Py_ssize_t wanted, str name) except -1:
    if found != wanted:
        raise ValueError(f"{name} has {found} values instead of {wanted}")
    return 0


cdef int _below(const int32_t[::1] values, Py_ssize_t limit, str name) except -1:
    cdef Py_ssize_t i
    for i in range(values.shape[0]):
        if values[i] < 0 or values[i] >= limit:
            raise ValueError(f"{name} has a value out of range")
    return 0


cdef int _rising(const int32_t[::1] values, Py_ssize_t limit, str name) except -1:
    cdef Py_ssize_t i
    if values.shape[0] == 0 or values[0] < 0 or values[values.shape[0] - 1] > limit:
        raise ValueError(f"{name} leaves its target")
    for i in range(values.shape[0] - 1):
        if values[i] > values[i + 1]:
            raise ValueError(f"{name} falls")
    return 0


cdef int _check_ids(
    const int32_t[::1] offsets, const int32_t[::1] ids, Py_ssize_t rows, int32_t limit,
    int32_t lowest, str what,
) except -1:
    cdef Py_ssize_t i, n = ids.shape[0]
    cdef bint broken = False
    if offsets.shape[0] < rows + 1:
        raise ValueError(f"the {what} offsets are too short")
    with nogil:
        for i in range(rows):
            if offsets[i] < 0 or offsets[i] > offsets[i + 1]:
                broken = True
        if offsets[rows] < 0 or offsets[rows] > n:
            broken = True
    if broken:
        raise ValueError(f"a {what} offset is out of range")
    with nogil:
        for i in range(offsets[0], offsets[rows]):
            if ids[i] < lowest or ids[i] >= limit:
                broken = True
    if broken:
        raise ValueError(f"a {what} id is out of range")
    return 0
