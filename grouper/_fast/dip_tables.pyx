# cython: language_level=3
"""A compiled DIP catalogue as the kernel holds it: taken from a mapping of arrays, every index checked."""

from grouper._fast.checks cimport check_size, check_steps, check_within


cdef class DipTables:
    """The arrays and numbers of a compiled catalogue (grouper.grouping.dip.compile).

    Raises ValueError when an index in them is out of range.
    """

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
        self.chain = spec["chain"]
        self.link_place = spec["link_place"]
        self.link_class = spec["link_class"]
        self.link_main = spec["link_main"]
        self.link_days = spec["link_days"]
        self.link_weight = spec["link_weight"]
        self.link_need = spec["link_need"]
        self.need_main = spec["need_main"]
        self.need_other = spec["need_other"]
        self.need_not = spec["need_not"]
        self.node_start = spec["node_start"]
        self.node_link = spec["node_link"]
        self.mark_start = spec["mark_start"]
        self.marks = spec["marks"]
        self.chain_first = spec["chain_first"]
        self.link_order = spec["link_order"]
        self.skip_main = spec["skip_main"]
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
        self.reasons.excluded = numbers["principal-excluded"]
        self.reasons.cost = numbers["missing-total-cost"]
        self.reasons.missing[AGE_YEARS] = numbers["missing-age"]
        self.reasons.missing[AGE_DAYS] = numbers["missing-age-days"]
        self.reasons.missing[STAY] = numbers["missing-stay"]
        self.reasons.missing[DISCHARGE] = numbers["missing-discharge-way"]
        self.reasons.missing[ICU_HOURS] = numbers["missing-icu-hours"]
        self.reasons.missing[WEIGHT] = numbers["missing-birth-weight"]
        self._check()

    cdef int _check(self) except -1:
        cdef Py_ssize_t packets = self.packet_primary.shape[0], choices = self.choice_row.shape[0]
        cdef Py_ssize_t terms = self.term_code.shape[0] - 1, sets = self.set_class.shape[0]
        cdef Py_ssize_t blocks = self.aux_types.shape[0], i
        cdef int least
        if self.keys < 0 or self.symbols < 0 or self.families < 0 or self.tables < 0 or self.results < 0:
            raise ValueError("a negative size")
        if not (0 <= self.match <= FAMILY and 0 <= self.order <= 2 and 0 <= self.conservative_rule <= 2):
            raise ValueError("an unknown option")
        if not -1 <= self.blank < self.results:
            raise ValueError("the blank row is out of range")
        if not 0 <= self.chain_first <= packets:
            raise ValueError("chain_first is out of range")
        self.rules = <int>self.rule.shape[0]
        if not 0 < self.rule.shape[0] <= MAX_RULES:
            raise ValueError("too many rules")
        check_within(self.rule, 0, RULES, "rule")
        self.cost_rule = MAX_RULES
        for i in range(self.rules - 1, -1, -1):
            if self.rule[i] == RULE_CLOSEST_COST:
                self.cost_rule = <int>i
        check_steps(self.key_start, self.keys + 2, self.chain_first, "key_start")
        check_within(self.packet_primary, 0, 2, "packet_primary")
        check_size(self.packet_choice.shape[0], packets, "packet_choice")
        check_within(self.packet_choice, 0, choices, "packet_choice")
        check_steps(self.packet_term, packets + 1, terms, "packet_term")
        check_size(self.packet_main.shape[0], packets, "packet_main")
        for i in range(packets):
            if self.packet_term[i + 1] - self.packet_term[i] > MAX_TERMS:
                raise ValueError("a packet has too many terms")
            least = 0 if i >= self.chain_first else 1  # a rule of the chain may name no operation
            if not least <= self.packet_main[i] <= self.packet_term[i + 1] - self.packet_term[i]:
                raise ValueError("packet_main is out of range")
        check_steps(self.term_code, terms + 1, self.code_symbol.shape[0], "term_code")
        check_within(self.code_symbol, 1, self.symbols + 1, "code_symbol")
        check_size(self.symbol_family.shape[0], self.symbols + 1, "symbol_family")
        check_within(self.symbol_family, 0, self.families + 1, "symbol_family")
        check_size(self.symbol_short.shape[0], self.symbols + 1, "symbol_short")
        check_steps(self.still_start, 2 * (self.keys + 1) + 1, self.still_choice.shape[0], "still_start")
        check_within(self.still_choice, 0, choices, "still_choice")
        check_size(self.mixed_set.shape[0], CATEGORIES * CLASSES, "mixed_set")
        check_within(self.mixed_set, 0, sets, "mixed_set")
        check_steps(self.set_start, sets + 1, self.set_choice.shape[0], "set_start")
        check_within(self.set_choice, 0, choices, "set_choice")
        check_within(self.set_class, 0, CLASSES, "set_class")
        check_within(self.choice_row, 0, self.results, "choice_row")
        check_size(self.choice_aux.shape[0], choices, "choice_aux")
        check_within(self.choice_aux, -1, blocks, "choice_aux")
        check_within(self.aux_types, 0, 1 << TYPES, "aux_types")
        check_size(self.aux_direct.shape[0], blocks * TYPES * LEVELS, "aux_direct")
        check_within(self.aux_direct, -1, self.results, "aux_direct")
        check_size(self.aux_nearest.shape[0], blocks * TYPES * LEVELS, "aux_nearest")
        check_within(self.aux_nearest, -1, self.results, "aux_nearest")
        check_size(self.row_rank.shape[0], self.results, "row_rank")
        check_size(self.row_score.shape[0], self.results, "row_score")
        check_size(self.row_cost.shape[0], self.results, "row_cost")
        if self.excluded_start.shape[0] < 2:
            raise ValueError("excluded_start is too short")
        check_steps(self.excluded_start, self.excluded_start.shape[0], self.excluded.shape[0], "excluded_start")
        check_size(self.suppressed.shape[0], self.weight.shape[0], "suppressed")
        self.conditions = <int>self.weight.shape[0]
        if self.weight.shape[0] > 31:
            raise ValueError("too many Charlson conditions")
        check_within(self.weight, 0, 1000, "weight")
        self._check_chain()
        return 0

    cdef int _check_chain(self) except -1:
        """The rules of the chain: those packets from ``chain_first`` on."""
        cdef Py_ssize_t links = self.packet_primary.shape[0] - self.chain_first
        cdef Py_ssize_t nodes = self.node_start.shape[0], sets = self.mark_start.shape[0]
        check_within(self.chain, 0, 2, "chain")
        check_size(self.link_place.shape[0], links, "link_place")
        check_within(self.link_place, 0, self.chain.shape[0] + 1, "link_place")
        check_size(self.link_class.shape[0], links, "link_class")
        check_size(self.link_main.shape[0], links, "link_main")
        check_size(self.link_days.shape[0], 2 * links, "link_days")
        check_size(self.link_weight.shape[0], 2 * links, "link_weight")
        check_steps(self.link_need, links + 1, self.need_main.shape[0], "link_need")
        check_size(self.need_other.shape[0], self.need_main.shape[0], "need_other")
        check_size(self.need_not.shape[0], self.need_main.shape[0], "need_not")
        check_within(self.need_not, 0, 2, "need_not")
        check_steps(self.node_start, nodes, self.node_link.shape[0], "node_start")
        check_within(self.node_link, 0, links, "node_link")
        check_steps(self.mark_start, sets, self.marks.shape[0], "mark_start")
        if nodes < 2 or sets < 2:
            raise ValueError("the chain lacks its first sets")
        return 0

    cdef int _check_attributes(
        self, const int32_t[::1] dx, const int32_t[::1] op, const int32_t[::1] prefix
    ) except -1:
        """Every attribute stays inside what it points at."""
        cdef Py_ssize_t i, n = op.shape[0] // OP_WIDTH
        cdef const int32_t* a
        cdef int32_t groups = <int32_t>self.excluded_start.shape[0] - 1
        cdef int32_t nodes = <int32_t>self.node_start.shape[0] - 1
        cdef int32_t sets = <int32_t>self.mark_start.shape[0] - 1
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
                broken |= not 0 <= a[DX_NODE] < nodes or not 0 <= a[DX_MARKS] < sets
            for i in range(n):
                a = &op[i * OP_WIDTH]
                broken |= not 0 <= a[OP_CLASS] < CLASSES
        if broken:
            raise ValueError("an attribute is out of range")
        return 0
