# cython: language_level=3
"""A compiled DRG scheme as the kernel holds it: taken from a mapping of arrays, every index checked once."""

from grouper._fast.checks cimport check_size, check_steps, check_within


cdef class DrgTables:
    """The arrays and numbers of a compiled scheme (grouper.grouping.drg.compile.CompiledScheme.kernel_arrays).

    Raises ValueError when an index in them is out of range.
    """

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
        self.reasons.unfitting = numbers["unfitting-diagnosis"]
        self.reasons.no_mdc = numbers["no-mdc"]
        self.reasons.no_adrg = numbers["no-adrg"]
        self.reasons.no_drg = numbers["no-drg"]
        self.reasons.not_in_scheme = numbers["principal-not-in-scheme"]
        self.reasons.unknown = numbers["principal-unknown"]
        self.reasons.missing = numbers["missing-sex"]
        self.reasons.no_principal = numbers["no-principal-diagnosis"]
        self.reasons.lost_zero = numbers["lost-zero"]
        self.reasons.flags = numbers["bad-sex"]
        self.reasons.ends = numbers["mdc-ends"]
        self.reasons.missing_weight = numbers[spec["missing_weight"]]
        self.reasons.bad_admission_weight = numbers["bad-admission-weight"]
        self._check()

    cdef int _check(self) except -1:
        cdef Py_ssize_t rows = self.row_block.shape[0], blocks = self.block_kind.shape[0]
        cdef Py_ssize_t groups = self.group_result.shape[0], w = self.words, i
        if not (0 < self.words <= MAX_WORDS and rows <= 64 * w and rows > 0):
            raise ValueError("too many rows")
        if not (0 < self.dx_lists <= MAX_WORDS and 0 < self.proc_lists <= MAX_WORDS):
            raise ValueError("too many lists")
        check_within(self.dx_class, 0, self.dx_classes, "dx_class")
        check_within(self.proc_class, 0, self.proc_classes, "proc_class")
        check_size(self.dx_rows.shape[0], self.dx_classes * w, "dx_rows")
        check_size(self.any_dx_rows.shape[0], self.dx_classes * w, "any_dx_rows")
        check_size(self.dx_bits.shape[0], self.dx_classes * self.dx_lists, "dx_bits")
        check_size(self.proc_rows.shape[0], self.proc_classes * w, "proc_rows")
        check_size(self.any1_rows.shape[0], self.proc_classes * w, "any1_rows")
        check_size(self.any2_rows.shape[0], self.proc_classes * w, "any2_rows")
        check_size(self.proc_bits.shape[0], self.proc_classes * self.proc_lists, "proc_bits")
        check_size(self.any_dx_always.shape[0], w, "any_dx_always")
        check_size(self.any1_always.shape[0], w, "any1_always")
        check_size(self.any2_always.shape[0], w, "any2_always")
        check_size(self.no_proc_rows.shape[0], w, "no_proc_rows")
        check_size(self.row_mask.shape[0], w, "row_mask")
        check_size(self.infant_rows.shape[0], w, "infant_rows")
        check_size(self.male_rows.shape[0], w, "male_rows")
        check_size(self.female_rows.shape[0], w, "female_rows")
        check_size(self.level.shape[0], self.n_dx, "level")
        check_size(self.table.shape[0], self.n_dx, "table")
        check_steps(self.excluded_start, self.n_dx + 1, self.excluded.shape[0], "excluded_start")
        check_within(self.row_block, 0, blocks, "row_block")
        check_size(self.row_check.shape[0], 2 * rows, "row_check")
        check_size(self.block_result.shape[0], blocks, "block_result")
        check_within(self.block_result, 0, self.results, "block_result")
        check_within(self.block_kind, 0, BLOCK_KINDS, "block_kind")
        check_steps(self.block_groups, blocks + 1, groups, "block_groups")
        check_size(self.group_check.shape[0], 2 * groups, "group_check")
        check_within(self.group_result, 0, self.results, "group_result")
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
