"""The arrays of a compiled DIP catalogue and the numbers in which they speak; dip_tables.pyx checks them."""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum:
    CATEGORIES = 2600   # a letter and two digits
    CLASSES = 4
    MAX_TERMS = 64
    MAX_RULES = 12
    PREFIXES = 6
    TYPES = 5
    LEVELS = 9
    FIELDS = 6
    SURGICAL = 3

# Attributes of a diagnosis.
cdef enum:
    DX_KEY = 0          # diagnosis key, 0 none
    DX_CATEGORY = 1     # -1: not fit to be a principal diagnosis
    DX_REFUSED = 2      # as principal: 0 fine, 1 malformed, 2 not listed, 3 grey
    DX_TUMOUR = 3       # bits: 1 metastasis, 2 radiotherapy, 4 chemotherapy
    DX_LEVEL = 4        # 1 CC, 2 MCC
    DX_TABLE = 5        # its exclusion table
    DX_EXCLUDES = 6     # as principal: its set of exclusion tables, 0 none
    DX_CHARLSON = 7     # bits: conditions
    DX_UNKNOWN = 8      # 1: not in the code list
    DX_NODE = 9         # as principal: its set of chain rules
    DX_MARKS = 10       # the lists of the chain that it is in, as a set
    DX_EXCLUDED = 11    # as principal: 1 kept out of grouping by the chain
    DX_WIDTH = 12

# Attributes of an operation.
cdef enum:
    OP_SYMBOL = 0       # the same code in the catalogue, 0 none
    OP_FAMILY = 1       # first five characters, 0 when the catalogue has none like it
    OP_CLASS = 2
    OP_FLAGS = 3        # bits: 1 deleted, 2 radiotherapy, 4 chemotherapy, 8 unknown,
                        # 16 as main operation conservative, 32 never the main one;
                        # from 256 on: 1 + the list that the principal diagnosis of a main one is in
    OP_WIDTH = 4

cdef enum:
    EXACT = 0
    PREFIX = 1
    FAMILY = 2

# Rules between candidates; a higher number is better.
cdef enum:
    RULE_EXACT_CODE = 0
    RULE_FIRST_IS_MAIN = 1
    RULE_FIRST_IN_PACKET = 2
    RULE_MOST_MATCHED = 3
    RULE_NO_UNMATCHED_SURGERY = 4
    RULE_EXACT = 5
    RULE_HIGHER_CLASS = 6
    RULE_HIGHER_SCORE = 7
    RULE_CLOSEST_COST = 8
    RULE_CODE_ORDER = 9
    RULE_ROW_ORDER = 10
    RULES = 11

cdef enum:
    SEVERITY = 0
    TUMOUR = 1
    CCI = 2
    AGE = 3
    ICU = 4

cdef enum:
    AGE_YEARS = 0
    AGE_DAYS = 1
    STAY = 2
    DISCHARGE = 3
    ICU_HOURS = 4
    WEIGHT = 5

cdef struct Reasons:
    int32_t grouped, blank, ungrouped, no_principal, malformed, unlisted, grey, lost_zero, flags
    int32_t excluded, cost
    int32_t missing[FIELDS]

cdef struct Record:
    const int32_t* dx
    const int32_t* proc
    const int32_t* places   # places of the operations that count, in proc
    Py_ssize_t n_dx
    int all_ops, n_ops      # operations of the record, and those that take part
    int all_cls, cls        # highest class of both
    int main                # the place of the main operation among those that take part
    double fields[FIELDS]
    int64_t cost            # in millionths; -1 unknown
    int level[TYPES][LEVELS]
    int levels[TYPES]       # how many levels the case has per type
    bint ready              # the levels are there
    bint touched            # a row was chosen by auxiliary classes
    bint cost_tied
    bint excluded           # the chain keeps the principal diagnosis out of grouping
    int lacking             # the field that leaves the chain open, -1 none
    int family              # whether the second pass ran
    int candidates, clean   # candidates in all, and those without unmatched surgery

cdef struct Batch:
    const int32_t* dx
    const int32_t* op
    const int32_t* prefix

cdef struct Choice:
    int32_t row, packet     # -1 none
    int cls
    int64_t key[MAX_RULES]

cdef struct Owners:
    int32_t op[MAX_TERMS]
    int32_t first           # first term of the packet
    int count
    int main                # terms that the main operation may meet
    uint64_t seen


cdef class DipTables:
    cdef readonly int results
    cdef int match, rules, cost_rule, order, conservative_rule, short_stay, conditions
    cdef int32_t keys, symbols, families, blank, tables, chain_first
    cdef bint set_repeats, main_first, first_class, to_mixed, auxiliary, link_order, skip_main
    cdef Reasons reasons
    cdef const int32_t[::1] key_start, packet_primary, packet_term, packet_main, packet_choice
    cdef const int32_t[::1] term_code, code_symbol, symbol_family, symbol_short
    cdef const int32_t[::1] still_start, still_choice, mixed_set, set_start, set_choice, set_class
    cdef const int32_t[::1] choice_row, choice_aux, aux_direct, aux_nearest, aux_types
    cdef const int32_t[::1] row_rank, rule, excluded_start, excluded, weight, suppressed
    cdef const int64_t[::1] row_score, row_cost
    cdef const int32_t[::1] chain, link_place, link_class, link_main, link_days, link_weight
    cdef const int32_t[::1] link_need, need_main, need_other, need_not, node_start, node_link, mark_start, marks
    cdef int _check(self) except -1
    cdef int _check_chain(self) except -1
    cdef int _check_attributes(
        self, const int32_t[::1] dx, const int32_t[::1] op, const int32_t[::1] prefix
    ) except -1
