"""The arrays of a compiled DRG scheme and the numbers in which they speak; drg_tables.pyx checks them."""

from libc.stdint cimport int32_t, uint64_t

cdef enum:
    MAX_WORDS = 64
    MAX_STACK = 64
    FIELDS = 8

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

# What a row of ADRG ("block") does when its condition holds.
cdef enum:
    BLOCK_NEXT = 0       # try its groups; without one, go on
    BLOCK_STOP = 1       # try its groups; without one, end with the block's own result
    BLOCK_AMBIGUOUS = 2  # end with the block's own result
    BLOCK_UNGROUPED = 3  # end with the block's own result, which is no group: no other MDC is tried
    BLOCK_UNFITTING = 4  # as BLOCK_AMBIGUOUS, but its condition asks for no procedure
    BLOCK_KINDS = 5

# Numbers of grouper.base.reasons.REASONS that the kernel gives; checked when a program is built.
cdef struct Reasons:
    int32_t grouped, ambiguous, no_mdc, no_adrg, no_drg, not_in_scheme, unknown, missing, no_principal
    int32_t lost_zero, flags, ends, missing_weight, bad_admission_weight, unfitting

cdef class DrgTables:
    cdef int words, dx_lists, proc_lists, site_first, site_count
    cdef bint retry, principal_counts
    cdef int32_t n_dx, n_proc, scheme_dx
    cdef readonly int results
    cdef Reasons reasons
    cdef const int32_t[::1] dx_class, proc_class, level, table, excluded_start, excluded
    cdef const uint64_t[::1] dx_rows, any_dx_rows, dx_bits, proc_rows, any1_rows, any2_rows, proc_bits
    cdef const uint64_t[::1] any_dx_always, any1_always, any2_always, no_proc_rows
    cdef const uint64_t[::1] row_mask, infant_rows, male_rows, female_rows
    cdef const int32_t[::1] row_block, row_check, block_kind, block_result, block_groups
    cdef const int32_t[::1] group_check, group_result, entry_check, code
    cdef int32_t dx_classes, proc_classes
    cdef int _check(self) except -1
    cdef int _check_programs(self, const int32_t[::1] checks) except -1
