# cython: language_level=3
"""The DIP kernel: int32 code ids and plain numbers in, catalogue rows out, no Python inside.

A compiled catalogue (grouper/dip/compile.py) is a set of flat arrays: packets by diagnosis key,
their terms and codes, the rows that auxiliary classes choose, and mixed groups by category and
class. The rules between candidates are a sequence of numbers that are compared one after the
other. Whatever depends on a code's text is in its attributes, so that a code that no list knows
works like any other.
"""

from libc.math cimport NAN, isnan
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc

cdef enum:
    CATEGORIES = 2600   # a letter and two digits
    CLASSES = 4
    MAX_TERMS = 64
    MAX_RULES = 12
    PREFIXES = 6
    TYPES = 5
    LEVELS = 9
    FIELDS = 5
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
    DX_WIDTH = 9

# Attributes of an operation.
cdef enum:
    OP_SYMBOL = 0       # the same code in the catalogue, 0 none
    OP_FAMILY = 1       # first five characters, 0 when the catalogue has none like it
    OP_CLASS = 2
    OP_FLAGS = 3        # bits: 1 deleted, 2 radiotherapy, 4 chemotherapy, 8 unknown
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
    RULES = 10

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

cdef struct Reasons:
    int32_t grouped, blank, ungrouped, no_principal, malformed, unlisted, grey, lost_zero, flags
    int32_t cost, missing[4]

cdef struct Record:
    const int32_t* dx
    const int32_t* proc
    const int32_t* places   # places of the operations that count, in proc
    Py_ssize_t n_dx
    int n_ops
    int cls                 # highest class of the operations
    double fields[FIELDS]
    int64_t cost            # in millionths; -1 unknown
    int level[TYPES][LEVELS]
    int levels[TYPES]       # how many levels the case has per type
    bint ready              # the levels are there
    bint touched            # a row was chosen by auxiliary classes
    bint cost_tied
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
    uint64_t seen


cdef class DipProgram:
    """A compiled catalogue. Immutable, so one program serves many threads.

    Built from a mapping of arrays and numbers (grouper.dip.compile); every index in them is
    checked here, once. Raises ValueError when one is out of range.
    """

    cdef readonly int results
    cdef int match, rules, cost_rule, order, conservative_rule, short_stay, conditions
    cdef int32_t keys, symbols, families, blank, tables
    cdef bint set_repeats, main_first, first_class, to_mixed, auxiliary
    cdef Reasons reasons
    cdef const int32_t[::1] key_start, packet_primary, packet_term, packet_main, packet_choice
    cdef const int32_t[::1] term_code, code_symbol, symbol_family, symbol_short
    cdef const int32_t[::1] still_start, still_choice, mixed_set, set_start, set_choice, set_class
    cdef const int32_t[::1] choice_row, choice_aux, aux_direct, aux_nearest, aux_types
    cdef const int32_t[::1] row_rank, rule, excluded_start, excluded, weight, suppressed
    cdef const int64_t[::1] row_score, row_cost

    def __init__(self, dict spec not None):
        self.results = spec["results"]
        self.match = spec["match"]
        self.order = spec["order"]
        self.conservative_rule = spec["conservative_rule"]
        self.short_stay = spec["short_stay"]
        self.keys = spec["keys"]
        self.symbols = spec["symbols"]
        self.families = spec["families"]
        self.tables = spec["tables"]
        self.blank = spec["blank"]
        self.set_repeats = spec["set_repeats"]
        self.main_first = spec["main_first"]
        self.first_class = spec["first_class"]
        self.to_mixed = spec["to_mixed"]
        self.auxiliary = spec["auxiliary"]
        self.key_start = spec["key_start"]
        self.packet_primary = spec["packet_primary"]
        self.packet_term = spec["packet_term"]
        self.packet_main = spec["packet_main"]
        self.packet_choice = spec["packet_choice"]
        self.term_code = spec["term_code"]
        self.code_symbol = spec["code_symbol"]
        self.symbol_family = spec["symbol_family"]
        self.symbol_short = spec["symbol_short"]
        self.still_start = spec["still_start"]
        self.still_choice = spec["still_choice"]
        self.mixed_set = spec["mixed_set"]
        self.set_start = spec["set_start"]
        self.set_choice = spec["set_choice"]
        self.set_class = spec["set_class"]
        self.choice_row = spec["choice_row"]
        self.choice_aux = spec["choice_aux"]
        self.aux_direct = spec["aux_direct"]
        self.aux_nearest = spec["aux_nearest"]
        self.aux_types = spec["aux_types"]
        self.row_rank = spec["row_rank"]
        self.row_score = spec["row_score"]
        self.row_cost = spec["row_cost"]
        self.rule = spec["rule"]
        self.excluded_start = spec["excluded_start"]
        self.excluded = spec["excluded"]
        self.weight = spec["weight"]
        self.suppressed = spec["suppressed"]
        numbers = spec["reasons"]
        self.reasons.grouped = numbers["grouped"]
        self.reasons.blank = numbers["blank-packet"]
        self.reasons.ungrouped = numbers["no-packet"]
        self.reasons.no_principal = numbers["no-principal-diagnosis"]
        self.reasons.malformed = numbers["principal-malformed"]
        self.reasons.unlisted = numbers["principal-unlisted"]
        self.reasons.grey = numbers["principal-grey"]
        self.reasons.lost_zero = numbers["lost-zero"]
        self.reasons.flags = numbers["bad-sex"]
        self.reasons.cost = numbers["missing-total-cost"]
        self.reasons.missing[AGE_YEARS] = numbers["missing-age"]
        self.reasons.missing[AGE_DAYS] = numbers["missing-age-days"]
        self.reasons.missing[STAY] = numbers["missing-stay"]
        self.reasons.missing[DISCHARGE] = numbers["missing-discharge-way"]
        self._check()

    cdef int _check(self) except -1:
        cdef Py_ssize_t packets = self.packet_primary.shape[0], choices = self.choice_row.shape[0]
        cdef Py_ssize_t terms = self.term_code.shape[0] - 1, sets = self.set_class.shape[0]
        cdef Py_ssize_t blocks = self.aux_types.shape[0], i
        if self.keys < 0 or self.symbols < 0 or self.families < 0 or self.tables < 0 or self.results < 0:
            raise ValueError("a negative size")
        if not (0 <= self.match <= FAMILY and 0 <= self.order <= 2 and 0 <= self.conservative_rule <= 2):
            raise ValueError("an unknown option")
        if not -1 <= self.blank < self.results:
            raise ValueError("the blank row is out of range")
        self.rules = <int>self.rule.shape[0]
        if not 0 < self.rule.shape[0] <= MAX_RULES:
            raise ValueError("too many rules")
        _within(self.rule, 0, RULES, "rule")
        self.cost_rule = MAX_RULES
        for i in range(self.rules - 1, -1, -1):
            if self.rule[i] == RULE_CLOSEST_COST:
                self.cost_rule = <int>i
        _steps(self.key_start, self.keys + 2, packets, "key_start")
        _within(self.packet_primary, 0, 2, "packet_primary")
        _size(self.packet_choice.shape[0], packets, "packet_choice")
        _within(self.packet_choice, 0, choices, "packet_choice")
        _steps(self.packet_term, packets + 1, terms, "packet_term")
        _size(self.packet_main.shape[0], packets, "packet_main")
        for i in range(packets):
            if self.packet_term[i + 1] - self.packet_term[i] > MAX_TERMS:
                raise ValueError("a packet has too many terms")
            if not 0 < self.packet_main[i] <= self.packet_term[i + 1] - self.packet_term[i]:
                raise ValueError("packet_main is out of range")
        _steps(self.term_code, terms + 1, self.code_symbol.shape[0], "term_code")
        _within(self.code_symbol, 1, self.symbols + 1, "code_symbol")
        _size(self.symbol_family.shape[0], self.symbols + 1, "symbol_family")
        _within(self.symbol_family, 0, self.families + 1, "symbol_family")
        _size(self.symbol_short.shape[0], self.symbols + 1, "symbol_short")
        _steps(self.still_start, 2 * (self.keys + 1) + 1, self.still_choice.shape[0], "still_start")
        _within(self.still_choice, 0, choices, "still_choice")
        _size(self.mixed_set.shape[0], CATEGORIES * CLASSES, "mixed_set")
        _within(self.mixed_set, 0, sets, "mixed_set")
        _steps(self.set_start, sets + 1, self.set_choice.shape[0], "set_start")
        _within(self.set_choice, 0, choices, "set_choice")
        _within(self.set_class, 0, CLASSES, "set_class")
        _within(self.choice_row, 0, self.results, "choice_row")
        _size(self.choice_aux.shape[0], choices, "choice_aux")
        _within(self.choice_aux, -1, blocks, "choice_aux")
        _within(self.aux_types, 0, 1 << TYPES, "aux_types")
        _size(self.aux_direct.shape[0], blocks * TYPES * LEVELS, "aux_direct")
        _within(self.aux_direct, -1, self.results, "aux_direct")
        _size(self.aux_nearest.shape[0], blocks * TYPES * LEVELS, "aux_nearest")
        _within(self.aux_nearest, -1, self.results, "aux_nearest")
        _size(self.row_rank.shape[0], self.results, "row_rank")
        _size(self.row_score.shape[0], self.results, "row_score")
        _size(self.row_cost.shape[0], self.results, "row_cost")
        if self.excluded_start.shape[0] < 2:
            raise ValueError("excluded_start is too short")
        _steps(self.excluded_start, self.excluded_start.shape[0], self.excluded.shape[0], "excluded_start")
        _size(self.suppressed.shape[0], self.weight.shape[0], "suppressed")
        self.conditions = <int>self.weight.shape[0]
        if self.weight.shape[0] > 31:
            raise ValueError("too many Charlson conditions")
        _within(self.weight, 0, 1000, "weight")
        return 0

    # --- requirements -----------------------------------------------------------------------

    cdef inline int _meets(
        self, const int32_t* op, const int32_t* prefix, int32_t symbol, int family
    ) noexcept nogil:
        """2 for the same code, 1 through a prefix or family, else 0."""
        cdef int k
        if op[OP_SYMBOL] == symbol:
            return 2
        if self.match == EXACT:
            return 0
        if self.symbol_short[symbol]:
            for k in range(PREFIXES):
                if prefix[k] == symbol:
                    return 1
        return family and op[OP_FAMILY] != 0 and op[OP_FAMILY] == self.symbol_family[symbol]

    cdef inline int _term(self, Batch* b, Record* r, int32_t term, int at, int family) noexcept nogil:
        """How the operation at a place meets a term: the best of its codes."""
        cdef int32_t code
        cdef int32_t id = r.proc[r.places[at]]
        cdef const int32_t* op = b.op + OP_WIDTH * <Py_ssize_t>id
        cdef const int32_t* prefix = b.prefix + PREFIXES * <Py_ssize_t>id if b.prefix != NULL else NULL
        cdef int best = 0, how
        for code in range(self.term_code[term], self.term_code[term + 1]):
            how = self._meets(op, prefix, self.code_symbol[code], family)
            if how > best:
                best = how
        return best

    cdef bint _own(self, Batch* b, Record* r, Owners* owners, int term, int family) noexcept nogil:
        """Give a term an operation of its own, moving other terms where needed."""
        cdef int at, k, owner
        for at in range(r.n_ops):
            if not self._term(b, r, owners.first + term, at, family):
                continue
            owner = -1
            for k in range(owners.count):
                if owners.op[k] == at:
                    owner = k
            if owner >= 0:
                if owners.seen >> <uint64_t>owner & 1:
                    continue
                owners.seen |= <uint64_t>1 << <uint64_t>owner
                if not self._own(b, r, owners, owner, family):
                    continue
            owners.op[term] = at
            return True
        return False

    cdef bint _all_met(
        self, Batch* b, Record* r, int32_t packet, int family, int* inexact
    ) noexcept nogil:
        """Whether all terms of a packet are met, by operations of their own where repeats count."""
        cdef int32_t first = self.packet_term[packet], term
        cdef int count = self.packet_term[packet + 1] - first, at, best, how, k
        cdef Owners owners
        if not self.set_repeats and count > r.n_ops:
            return False
        inexact[0] = 0
        for term in range(first, first + count):
            best = 0
            for at in range(r.n_ops):
                how = self._term(b, r, term, at, family)
                if how > best:
                    best = how
                    if how == 2:
                        break
            if best == 0:
                return False
            inexact[0] += best == 1
        if not self.set_repeats and count > 1:
            owners.first = first
            owners.count = count
            for k in range(count):
                owners.op[k] = -1
            for k in range(count):
                owners.seen = <uint64_t>1 << <uint64_t>k
                if not self._own(b, r, &owners, k, family):
                    return False
        return not self.main_first or self._first(b, r, first, self.packet_main[packet], family)

    cdef bint _first(self, Batch* b, Record* r, int32_t term, int count, int family) noexcept nogil:
        """Whether the record's first operation meets one of ``count`` terms."""
        cdef int k
        for k in range(count):
            if self._term(b, r, term + k, 0, family):
                return True
        return False

    cdef bint _named(self, Batch* b, Record* r, int32_t packet, int at, int family) noexcept nogil:
        """Whether an operation meets any code of a packet."""
        cdef int32_t term
        for term in range(self.packet_term[packet], self.packet_term[packet + 1]):
            if self._term(b, r, term, at, family):
                return True
        return False

    # --- auxiliary classes ------------------------------------------------------------------

    cdef inline void _level(self, Record* r, int type_, int level) noexcept nogil:
        r.level[type_][r.levels[type_]] = level
        r.levels[type_] += 1

    cdef int _complication(self, Batch* b, Record* r) noexcept nogil:
        """2 when a secondary diagnosis counts as MCC, 1 as CC, else 0."""
        cdef Py_ssize_t i
        cdef int32_t k
        cdef int32_t group = (b.dx + DX_WIDTH * <Py_ssize_t>r.dx[0])[DX_EXCLUDES]
        cdef const int32_t* dx
        cdef int best = 0
        cdef bint out
        for i in range(1, r.n_dx):
            dx = b.dx + DX_WIDTH * <Py_ssize_t>r.dx[i]
            if dx[DX_LEVEL] <= best:
                continue
            out = False
            for k in range(self.excluded_start[group], self.excluded_start[group + 1]):
                if self.excluded[k] == dx[DX_TABLE]:
                    out = True
                    break
            if not out:
                best = dx[DX_LEVEL]
        return best

    cdef void _levels(self, Batch* b, Record* r) noexcept nogil:
        """All levels of the case, the preferred one first."""
        cdef int k, worst, marks = 0, hits = 0, index = 0
        cdef bint short_stay, died
        cdef Py_ssize_t i
        cdef double years = r.fields[AGE_YEARS], hours = r.fields[ICU_HOURS]
        r.ready = True
        for k in range(TYPES):
            r.levels[k] = 0
        for i in range(r.n_dx):
            k = (b.dx + DX_WIDTH * <Py_ssize_t>r.dx[i])[DX_TUMOUR]
            marks |= k if i else k & 6  # a metastasis counts as secondary diagnosis only
            if i:
                hits |= (b.dx + DX_WIDTH * <Py_ssize_t>r.dx[i])[DX_CHARLSON]
        for k in range(r.n_ops):
            marks |= (b.op + OP_WIDTH * <Py_ssize_t>r.proc[r.places[k]])[OP_FLAGS] & 6
        if not isnan(r.fields[STAY]):
            short_stay = r.fields[STAY] <= self.short_stay
            died = r.fields[DISCHARGE] == 5
            if died:
                self._level(r, SEVERITY, 4 if short_stay else 5)
                self._level(r, TUMOUR, 7 if short_stay else 8)
            if marks & 2:
                self._level(r, TUMOUR, 5)
            if marks & 4:
                self._level(r, TUMOUR, 6)
            if marks & 1:
                self._level(r, TUMOUR, 4)
            worst = 0 if short_stay else self._complication(b, r)
            for k in range(worst + 1, 0 if short_stay else 1, -1):
                if k > 1:
                    self._level(r, SEVERITY, k)
                    self._level(r, TUMOUR, k)
            k = 0 if short_stay else 1
            self._level(r, SEVERITY, k)
            self._level(r, TUMOUR, k)
        for k in range(self.conditions):
            if hits >> k & 1 and not hits & self.suppressed[k]:
                index += self.weight[k]
        self._level(r, CCI, 0 if index == 0 else 1 if index <= 2 else 2 if index <= 4 else 3)
        if not isnan(years):
            if years >= 1:
                k = 2 + (years >= 7) + (years >= 18) + (years >= 66)
            else:
                k = 0 if r.fields[AGE_DAYS] <= 28 else 1
            self._level(r, AGE, k)
        if hours >= 48:
            self._level(r, ICU, (hours >= 192) + (hours >= 360) + (hours >= 744))

    cdef int32_t _row(self, Batch* b, Record* r, int32_t choice) noexcept nogil:
        """The row of a packet for this case."""
        cdef int32_t block = self.choice_aux[choice], row, best = -1
        cdef int type_, k
        cdef Py_ssize_t at
        if block < 0:
            return self.choice_row[choice]
        r.touched = True
        if not r.ready:
            self._levels(b, r)
        for type_ in range(TYPES):
            if not (self.aux_types[block] >> type_ & 1 and r.levels[type_]):
                continue
            at = (<Py_ssize_t>block * TYPES + type_) * LEVELS
            row = -1
            for k in range(r.levels[type_]):
                row = self.aux_direct[at + r.level[type_][k]]
                if row >= 0:
                    break
            if row < 0:
                row = self.aux_nearest[at + r.level[type_][0]]
            if row >= 0 and (best < 0 or self.row_score[row] > self.row_score[best]):
                best = row
        return best if best >= 0 else self.choice_row[choice]

    # --- candidates -------------------------------------------------------------------------

    cdef void _weigh(
        self, Batch* b, Record* r, int32_t packet, int family, int inexact, Choice* c
    ) noexcept nogil:
        """Row, class and rule values of a packet whose terms are all met."""
        cdef int32_t first = self.packet_term[packet]
        cdef int count = self.packet_term[packet + 1] - first, at, cls, k, rule
        cdef bint unmatched = False, surgery = False
        cdef int64_t value
        c.packet = packet
        c.row = self._row(b, r, self.packet_choice[packet])
        c.cls = 1
        for at in range(r.n_ops):
            cls = (b.op + OP_WIDTH * <Py_ssize_t>r.proc[r.places[at]])[OP_CLASS]
            if self._named(b, r, packet, at, family):
                c.cls = max(c.cls, cls)
            else:
                unmatched = True
                surgery = surgery or cls == SURGICAL
        r.candidates += 1
        r.clean += not surgery
        for k in range(self.rules):
            rule = self.rule[k]
            if rule == RULE_EXACT_CODE:
                value = -inexact
            elif rule == RULE_FIRST_IS_MAIN:
                value = self._first(b, r, first, self.packet_main[packet], family)
            elif rule == RULE_FIRST_IN_PACKET:
                value = self._first(b, r, first, count, family)
            elif rule == RULE_MOST_MATCHED:
                value = count
            elif rule == RULE_NO_UNMATCHED_SURGERY:
                value = not surgery
            elif rule == RULE_EXACT:
                value = not unmatched
            elif rule == RULE_HIGHER_CLASS:
                value = c.cls
            elif rule == RULE_HIGHER_SCORE:
                value = self.row_score[c.row]
            elif rule == RULE_CLOSEST_COST:
                value = self.row_cost[c.row] - max(r.cost, <int64_t>0)
                value = value if value < 0 else -value
            else:
                value = -<int64_t>self.row_rank[c.row]
            c.key[k] = value

    cdef void _operative(
        self, Batch* b, Record* r, int32_t key, int family, Choice* best
    ) noexcept nogil:
        """The best operative candidate of each of the two lists, into best[0] and best[1]."""
        cdef int32_t packet
        cdef int inexact, k, side
        cdef bint tied[2]
        cdef Choice c
        best[0].packet = best[1].packet = -1
        best[0].row = best[1].row = -1
        tied[0] = tied[1] = False
        if r.n_ops == 0:
            return
        for packet in range(self.key_start[key], self.key_start[key + 1]):
            if not self._all_met(b, r, packet, family, &inexact):
                continue
            self._weigh(b, r, packet, family, inexact, &c)
            side = self.packet_primary[packet]
            if best[side].packet < 0:
                best[side] = c
                continue
            k = 0
            while k < self.rules - 1 and c.key[k] == best[side].key[k]:
                k += 1
            if k >= self.cost_rule:
                tied[side] = True
            elif c.key[k] > best[side].key[k]:
                tied[side] = False
            if c.key[k] > best[side].key[k]:
                best[side] = c
        r.cost_tied = r.cost_tied or tied[0] or tied[1]

    cdef void _still(self, Batch* b, Record* r, int32_t key, int side, Choice* best) noexcept nogil:
        """The conservative packet of a key, where the rule allows one."""
        cdef int32_t k, row
        cdef int32_t at = 2 * key + side
        if self.conservative_rule == 0 and r.cls != 0:
            return
        if self.conservative_rule == 1 and r.n_ops:
            return
        for k in range(self.still_start[at], self.still_start[at + 1]):
            row = self._row(b, r, self.still_choice[k])
            if best.row < 0 or self.row_rank[row] < self.row_rank[best.row]:
                best.row = row
                best.cls = 0

    cdef void _mixed(self, Batch* b, Record* r, int32_t category, Choice* best) noexcept nogil:
        """The mixed group of a category."""
        cdef int32_t k, row, found
        cdef int cls = r.cls
        best.packet = best.row = -1
        if self.first_class:
            cls = (b.op + OP_WIDTH * <Py_ssize_t>r.proc[r.places[0]])[OP_CLASS] if r.n_ops else 0
        found = self.mixed_set[category * CLASSES + cls]
        best.cls = self.set_class[found]
        for k in range(self.set_start[found], self.set_start[found + 1]):
            row = self._row(b, r, self.set_choice[k])
            if best.row < 0 or self.row_rank[row] < self.row_rank[best.row]:
                best.row = row

    cdef inline int _preference(self, int cls, int side) noexcept nogil:
        """Where a candidate stands in the order of selection, the smallest first."""
        if self.order == 2:
            return side
        if self.order == 1:
            return 4 * (3 - cls) + side
        if cls == 0:
            return 200 + side
        return 100 + 3 - cls if side == 2 else 4 * (3 - cls) + side

    cdef int32_t _group(self, Batch* b, Record* r, int32_t* packet) noexcept nogil:
        """The row of a sound record, or -1; ``packet`` gets the operative packet, or -1."""
        cdef Choice best[3]
        cdef const int32_t* principal = b.dx + DX_WIDTH * <Py_ssize_t>r.dx[0]
        cdef int side, place, least = 1000, winner = -1
        r.ready = r.touched = r.cost_tied = False
        r.candidates = r.clean = r.family = 0
        self._operative(b, r, principal[DX_KEY], 0, best)
        if self.match == FAMILY and r.candidates == 0:
            r.family = 1
            self._operative(b, r, principal[DX_KEY], 1, best)
        for side in range(2):
            if best[side].packet < 0:
                self._still(b, r, principal[DX_KEY], side, &best[side])
        self._mixed(b, r, principal[DX_CATEGORY], &best[2])
        for side in range(3):
            if best[side].row >= 0:
                place = self._preference(best[side].cls, side)
                if place < least:
                    least = place
                    winner = side
        if self.to_mixed and best[2].row >= 0 and best[2].cls == SURGICAL and r.candidates and not r.clean:
            winner = 2
        packet[0] = -1
        if winner < 0:
            return -1
        packet[0] = best[winner].packet
        return best[winner].row

    cdef int _lacking(self, Batch* b, Record* r, int32_t row) noexcept nogil:
        """The reason when a missing number could change the row, else -1."""
        cdef int field, k, count
        cdef int32_t packet
        cdef double[5] values
        if r.cost_tied and r.cost < 0:
            return self.reasons.cost
        if not (self.auxiliary and r.touched):
            return -1
        for field in range(4):
            if not isnan(r.fields[field]) or (field == AGE_DAYS and r.fields[AGE_YEARS] != 0):
                continue
            count = 2
            if field == AGE_YEARS:
                values[0], values[1], values[2], values[3], values[4] = 0, 1, 7, 18, 66
                count = 5
            elif field == AGE_DAYS:
                values[0], values[1] = 0, 29
            elif field == STAY:
                values[0], values[1] = 0, 1e6
            else:
                values[0], values[1] = 1, 5
            for k in range(count):
                r.fields[field] = values[k]
                if self._group(b, r, &packet) != row:
                    r.fields[field] = NAN
                    return self.reasons.missing[field]
            r.fields[field] = NAN
        return -1

    # --- a batch ----------------------------------------------------------------------------

    def group(
        self, Py_ssize_t rows, const int32_t[::1] dx_offsets, const int32_t[::1] dx_ids,
        const int32_t[::1] proc_offsets, const int32_t[::1] proc_ids, const int32_t[::1] dx,
        const int32_t[::1] op, const int32_t[::1] prefix, list fields not None,
        const int64_t[::1] costs, const int32_t[::1] flags, int32_t[::1] results,
        int32_t[::1] reasons, int32_t[::1] warnings, int32_t[::1] met,
    ):
        """Group ``rows`` records.

        ``dx_offsets`` and ``proc_offsets`` hold rows + 1 positions into the ids; the first
        diagnosis of a record is the principal one. ``dx`` and ``op`` hold nine and four attributes
        of each id, ``prefix`` six catalogue codes that its code begins with (0 for none; empty
        where codes must be equal). ``fields`` holds five float64 buffers of ``rows`` values, NaN
        for missing, or None: age in years and days, stay, discharge way, ICU hours. ``costs``:
        millionths, negative for unknown, or None. ``flags``: grouper.reasons.Flag, or None.

        The outputs take, per row, the number of the catalogue row (-1 none), the number of the
        reason, warnings (1 an unknown diagnosis, 2 an unknown procedure); and per operation in
        ``met`` 0 deleted or unused, 1 met by the packet, 2 not.
        Raises ValueError when an offset, id or attribute is out of range; nothing is then valid.
        """
        cdef Batch b
        cdef const double* column[FIELDS]
        cdef const double[::1] values
        cdef Py_ssize_t i, k, most = 0
        cdef int f
        cdef int32_t packet
        cdef Record r
        cdef int32_t* places
        if rows < 0 or len(fields) != FIELDS:
            raise ValueError("rows and five fields are needed")
        if min(results.shape[0], reasons.shape[0], warnings.shape[0]) < rows:
            raise ValueError("an output buffer is too short")
        if flags is not None and flags.shape[0] < rows or costs is not None and costs.shape[0] < rows:
            raise ValueError("the flags or costs are too short")
        if met.shape[0] < proc_ids.shape[0]:
            raise ValueError("an output buffer is too short")
        self._check_attributes(dx, op, prefix)
        _check_ids(dx_offsets, dx_ids, rows, dx.shape[0] // DX_WIDTH, -1, "diagnosis")
        _check_ids(proc_offsets, proc_ids, rows, op.shape[0] // OP_WIDTH, -2, "procedure")
        for f in range(FIELDS):
            column[f] = NULL
            if fields[f] is not None:
                values = fields[f]
                if values.shape[0] < rows:
                    raise ValueError("a field is too short")
                column[f] = &values[0] if rows else NULL
        if rows == 0:
            return
        for i in range(rows):
            most = max(most, <Py_ssize_t>proc_offsets[i + 1] - proc_offsets[i])
        places = <int32_t*>malloc((most + 1) * sizeof(int32_t))
        if places == NULL:
            raise MemoryError()
        b.dx = &dx[0] if dx.shape[0] else NULL
        b.op = &op[0] if op.shape[0] else NULL
        b.prefix = &prefix[0] if prefix.shape[0] else NULL
        cdef const int32_t* all_dx = &dx_ids[0] if dx_ids.shape[0] else NULL
        cdef const int32_t* all_proc = &proc_ids[0] if proc_ids.shape[0] else NULL
        with nogil:
            r.places = places
            for k in range(proc_ids.shape[0]):
                met[k] = 0
            for i in range(rows):
                r.dx = all_dx + dx_offsets[i]
                r.n_dx = dx_offsets[i + 1] - dx_offsets[i]
                r.proc = all_proc + proc_offsets[i]
                results[i] = -1
                warnings[i] = 0
                reasons[i] = self._unusable(
                    &b, &r, proc_offsets[i + 1] - proc_offsets[i], flags[i] if flags is not None else 0
                )
                if reasons[i] >= 0:
                    continue
                for f in range(FIELDS):
                    r.fields[f] = NAN if column[f] == NULL else column[f][i]
                r.cost = costs[i] if costs is not None else -1
                warnings[i] = self._operations(
                    &b, &r, places, proc_offsets[i + 1] - proc_offsets[i]
                )
                results[i] = self._group(&b, &r, &packet)
                for k in range(r.n_ops):
                    met[proc_offsets[i] + places[k]] = (
                        1 if packet >= 0 and self._named(&b, &r, packet, <int>k, r.family) else 2
                    )
                reasons[i] = self._lacking(&b, &r, results[i])
                if reasons[i] >= 0:
                    pass
                elif results[i] >= 0:
                    reasons[i] = self.reasons.grouped
                elif self.blank >= 0:
                    reasons[i] = self.reasons.blank
                else:
                    reasons[i] = self.reasons.ungrouped
                if results[i] < 0:
                    results[i] = self.blank
            free(places)

    cdef int _check_attributes(
        self, const int32_t[::1] dx, const int32_t[::1] op, const int32_t[::1] prefix
    ) except -1:
        """Every attribute stays inside what it points at."""
        cdef Py_ssize_t i, n = op.shape[0] // OP_WIDTH
        cdef const int32_t* a
        cdef int32_t groups = <int32_t>self.excluded_start.shape[0] - 1
        cdef bint broken = False
        if dx.shape[0] % DX_WIDTH or op.shape[0] % OP_WIDTH:
            raise ValueError("the attributes have an odd length")
        if self.match != EXACT and prefix.shape[0] != PREFIXES * n:
            raise ValueError("the prefixes have the wrong length")
        with nogil:
            for i in range(dx.shape[0] // DX_WIDTH):
                a = &dx[i * DX_WIDTH]
                broken |= not 0 <= a[DX_KEY] <= self.keys
                broken |= not -1 <= a[DX_CATEGORY] < CATEGORIES
                broken |= not 0 <= a[DX_REFUSED] <= 3 or (a[DX_CATEGORY] < 0 and a[DX_REFUSED] == 0)
                broken |= not 0 <= a[DX_LEVEL] <= 2
                broken |= not 0 <= a[DX_EXCLUDES] < groups
            for i in range(n):
                a = &op[i * OP_WIDTH]
                broken |= not 0 <= a[OP_CLASS] < CLASSES
        if broken:
            raise ValueError("an attribute is out of range")
        return 0

    cdef int _operations(
        self, Batch* b, Record* r, int32_t* places, Py_ssize_t n
    ) noexcept nogil:
        """Find the operations that count and their highest class; returns the warnings."""
        cdef Py_ssize_t k
        cdef const int32_t* op
        cdef int found = 0
        r.n_ops = 0
        r.cls = 0
        for k in range(r.n_dx):
            found |= (b.dx + DX_WIDTH * <Py_ssize_t>r.dx[k])[DX_UNKNOWN] & 1
        for k in range(n):
            op = b.op + OP_WIDTH * <Py_ssize_t>r.proc[k]
            if op[OP_FLAGS] & 8:
                found |= 2
            if not op[OP_FLAGS] & 1:
                places[r.n_ops] = <int32_t>k
                r.n_ops += 1
                r.cls = max(r.cls, <int>op[OP_CLASS])
        return found

    cdef int _unusable(self, Batch* b, Record* r, Py_ssize_t n_proc, int32_t flags) noexcept nogil:
        """The reason why a record cannot be grouped at all, or -1."""
        cdef Py_ssize_t k
        cdef int refused
        if r.n_dx == 0 or r.dx[0] < 0:
            return self.reasons.no_principal
        for k in range(1, r.n_dx):
            if r.dx[k] < 0:
                return self.reasons.no_principal
        refused = (b.dx + DX_WIDTH * <Py_ssize_t>r.dx[0])[DX_REFUSED]
        if refused:
            return (
                self.reasons.malformed if refused == 1
                else self.reasons.unlisted if refused == 2 else self.reasons.grey
            )
        for k in range(n_proc):
            if r.proc[k] < 0:
                return self.reasons.lost_zero
        if flags:
            return self.reasons.flags + _lowest_bit(flags)
        return -1


def pick(
    Py_ssize_t rows, const int32_t[::1] offsets, const int32_t[::1] ids, const int32_t[::1] met,
    int which, int32_t[::1] out_offsets, int32_t[::1] out_ids,
):
    """Copy the ids of each row whose mark in ``met`` is ``which``; returns how many there are.

    Raises ValueError when an offset is out of range or an output too short.
    """
    cdef Py_ssize_t i, k, n = 0
    if rows < 0 or out_offsets.shape[0] < rows + 1 or out_ids.shape[0] < ids.shape[0]:
        raise ValueError("an output buffer is too short")
    if met.shape[0] < ids.shape[0]:
        raise ValueError("the marks are too short")
    _check_ids(offsets, ids, rows, 1 << 30, -2, "code")
    with nogil:
        out_offsets[0] = 0
        for i in range(rows):
            for k in range(offsets[i], offsets[i + 1]):
                if met[k] == which:
                    out_ids[n] = ids[k]
                    n += 1
            out_offsets[i + 1] = <int32_t>n
    return n


cdef inline int _lowest_bit(int32_t flags) noexcept nogil:
    cdef int k = 0
    while not flags >> k & 1:
        k += 1
    return k


cdef int _size(Py_ssize_t found, Py_ssize_t wanted, str name) except -1:
    if found != wanted:
        raise ValueError(f"{name} has {found} values instead of {wanted}")
    return 0


cdef int _within(const int32_t[::1] values, Py_ssize_t low, Py_ssize_t limit, str name) except -1:
    cdef Py_ssize_t i
    for i in range(values.shape[0]):
        if values[i] < low or values[i] >= limit:
            raise ValueError(f"{name} has a value out of range")
    return 0


cdef int _steps(const int32_t[::1] values, Py_ssize_t size, Py_ssize_t limit, str name) except -1:
    """Rising positions: ``size`` of them, from 0 on, none past ``limit``."""
    cdef Py_ssize_t i
    if size < 1 or values.shape[0] != size:
        raise ValueError(f"{name} has {values.shape[0]} values instead of {size}")
    if values[0] < 0 or values[size - 1] > limit:
        raise ValueError(f"{name} leaves its target")
    for i in range(size - 1):
        if values[i] > values[i + 1]:
            raise ValueError(f"{name} falls")
    return 0


cdef int _check_ids(
    const int32_t[::1] offsets, const int32_t[::1] ids, Py_ssize_t rows, Py_ssize_t limit,
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
