# cython: language_level=3
"""The DIP kernel: int32 code ids and plain numbers in, catalogue rows out, no Python inside.

A compiled catalogue (grouper/grouping/dip/compile.py) is a set of flat arrays: packets by diagnosis key,
their terms and codes, the rows that auxiliary classes choose, and mixed groups by category and
class. The rules between candidates are a sequence of numbers that are compared one after the
other. Whatever depends on a code's text is in its attributes, so that a code that no list knows
works like any other.
"""

cimport cython
from libc.math cimport NAN, isnan
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc

from grouper._fast.checks cimport check_ids, read_fields
from grouper._fast.dip_packets cimport DipPackets
from grouper._fast.dip_tables cimport *

cdef enum:
    OVERLAID = 1073741824  # 1 << 30, among the warnings, where no warning is; written out for the debug build


@cython.final
cdef class DipProgram(DipPackets):
    """A compiled catalogue. Immutable, so one program serves many threads.

    Built from a mapping of arrays and numbers (grouper.grouping.dip.compile); every index in them is
    checked here, once. Raises ValueError when one is out of range.
    """

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
            elif rule == RULE_ROW_ORDER:
                value = -<int64_t>c.row
            else:
                value = -<int64_t>self.row_rank[c.row]
            c.key[k] = value

    cdef inline void _keep(self, Choice* best, Choice* c, bint* tied) noexcept nogil:
        """The better of two candidates by the tie-break rules; ``tied``: only the cost can tell them apart."""
        cdef int k = 0
        if best.packet < 0:
            best[0] = c[0]
            return
        while k < self.rules - 1 and c.key[k] == best.key[k]:
            k += 1
        if k >= self.cost_rule:
            tied[0] = True
        elif c.key[k] > best.key[k]:
            tied[0] = False
        if c.key[k] > best.key[k]:
            best[0] = c[0]

    cdef void _operative(
        self, Batch* b, Record* r, int32_t key, int family, Choice* best
    ) noexcept nogil:
        """The best operative candidate of each of the two lists, into best[0] and best[1]."""
        cdef int32_t packet
        cdef int inexact, side
        cdef bint tied[2]
        cdef Choice c
        best[0].packet = best[1].packet = -1
        best[0].row = best[1].row = -1
        tied[0] = tied[1] = False
        if r.n_ops == 0:
            return
        for packet in range(self.key_start[key], self.key_start[key + 1]):
            if not self._all_met(b, r, packet, family, False, &inexact):
                continue
            if self.main_first and not self._first(
                b, r, self.packet_term[packet], self.packet_main[packet], family
            ):
                continue
            self._weigh(b, r, packet, family, inexact, &c)
            side = self.packet_primary[packet]
            self._keep(&best[side], &c, &tied[side])
        r.cost_tied = r.cost_tied or tied[0] or tied[1]

    cdef inline bint _conservative(self, Record* r) noexcept nogil:
        """Whether the case counts as conservative, as the option says."""
        if self.conservative_rule == 0:
            return r.cls == 0
        return self.conservative_rule == 2 or r.n_ops == 0

    cdef void _still(self, Batch* b, Record* r, int32_t key, int side, Choice* best) noexcept nogil:
        """The conservative packet of a key, where the rule allows one."""
        cdef int32_t k, row
        cdef int32_t at = 2 * key + side
        if not self._conservative(r):
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
            cls = (b.op + OP_WIDTH * <Py_ssize_t>r.proc[r.places[r.main]])[OP_CLASS] if r.n_ops else 0
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

    # --- the chain before the basic packets -------------------------------------------------

    cdef inline bint _marked(self, Batch* b, Record* r, Py_ssize_t i, int32_t mark) noexcept nogil:
        """Whether the diagnosis at a place is in a list."""
        cdef int32_t k, found = (b.dx + DX_WIDTH * <Py_ssize_t>r.dx[i])[DX_MARKS]
        for k in range(self.mark_start[found], self.mark_start[found + 1]):
            if self.marks[k] == mark:
                return True
        return False

    cdef bint _needed(self, Batch* b, Record* r, int32_t need) noexcept nogil:
        """Whether the main diagnosis is in one list or a secondary one in another; -1 is no list."""
        cdef Py_ssize_t i
        if self.need_main[need] >= 0 and self._marked(b, r, 0, self.need_main[need]):
            return True
        if self.need_other[need] >= 0:
            for i in range(1, r.n_dx):
                if self._marked(b, r, i, self.need_other[need]):
                    return True
        return False

    cdef int _barred(self, Batch* b, Record* r, int at) noexcept nogil:
        """What keeps an operation from being the main one: 0 nothing, 1 the case is conservative, 2 itself."""
        cdef int32_t flags = (b.op + OP_WIDTH * <Py_ssize_t>r.proc[r.places[at]])[OP_FLAGS]
        if flags & 16:
            return 1
        if flags & 32 or (flags >> 8 and not self._marked(b, r, 0, (flags >> 8) - 1)):
            return 2
        return 0

    cdef void _exclude(self, Batch* b, Record* r) noexcept nogil:
        """Find the main operation; where there is none, or it is excluded, no operation is left."""
        cdef int at, how
        for at in range(r.n_ops):
            how = self._barred(b, r, at)
            if how == 0:
                r.main = at
                return
            if how == 1 or not self.skip_main:
                break
        r.n_ops = r.cls = r.main = 0

    cdef int _link(self, Batch* b, Record* r, int32_t link, int* inexact, int* lacking) noexcept nogil:
        """The truth of a rule of the chain: 0 no, 1 open because the field ``lacking`` is missing, 2 yes."""
        cdef int32_t packet = self.chain_first + link, k
        cdef double value
        lacking[0] = -1
        if self.link_class[link] == 0 and not self._conservative(r):
            return 0
        if self.link_class[link] > 0 and r.cls != self.link_class[link]:
            return 0
        for k in range(self.link_need[link], self.link_need[link + 1]):
            if self._needed(b, r, k) == self.need_not[k]:
                return 0
        if self.link_days[2 * link] >= 0:
            if r.fields[AGE_YEARS] >= 1:
                return 0
            value = r.fields[AGE_DAYS]
            if isnan(value):
                lacking[0] = AGE_DAYS
            elif value < self.link_days[2 * link] or value >= self.link_days[2 * link + 1] + 1.0:
                return 0
        if self.link_weight[2 * link] >= 0:
            value = r.fields[WEIGHT]
            if isnan(value):
                lacking[0] = WEIGHT if lacking[0] < 0 else lacking[0]
            elif value < self.link_weight[2 * link] or value >= self.link_weight[2 * link + 1] + 1.0:
                return 0
        if self.link_main[link] and not self._first(
            b, r, self.packet_term[packet], self.packet_main[packet], 0
        ):
            return 0
        if not self._all_met(b, r, packet, 0, self.link_main[link], inexact):
            return 0
        return 2 if lacking[0] < 0 else 1

    cdef int32_t _chain(self, Batch* b, Record* r, const int32_t* principal, int32_t* packet) noexcept nogil:
        """The row that the first fitting step of the chain gives, or -1; ``packet`` gets its packet.

        A rule that lacks a number counts as not met, but is noted when it would have won.
        """
        cdef Choice best, top, c
        cdef int32_t at = self.node_start[principal[DX_NODE]], end = self.node_start[principal[DX_NODE] + 1]
        cdef int32_t link, place
        cdef int truth, inexact, lacking, top_lacking
        cdef bint tied, top_tied
        for place in range(<int32_t>self.chain.shape[0]):
            if self.chain[place] == 0:
                if principal[DX_EXCLUDED]:
                    r.excluded = True
                    return -1
                self._exclude(b, r)
                continue
            best.packet = top.packet = -1
            tied = top_tied = False
            top_lacking = -1
            while at < end and self.link_place[self.node_link[at]] == place:
                link = self.node_link[at]
                at += 1
                truth = self._link(b, r, link, &inexact, &lacking)
                if truth == 0:
                    continue
                self._weigh(b, r, self.chain_first + link, 0, inexact, &c)
                if truth == 2 and not (self.link_order and best.packet >= 0):
                    self._keep(&best, &c, &tied)
                if not (self.link_order and top.packet >= 0):
                    self._keep(&top, &c, &top_tied)
                    if top.packet == c.packet:
                        top_lacking = lacking
            if top_lacking >= 0 and r.lacking < 0:
                r.lacking = top_lacking
            if best.packet >= 0:
                r.cost_tied = tied
                packet[0] = best.packet
                return best.row
        return -1

    cdef bint _overlaid(self, Batch* b, Record* r) noexcept nogil:
        """Whether a condition of primary care holds: those rules that belong to no step."""
        cdef int32_t node = (b.dx + DX_WIDTH * <Py_ssize_t>r.dx[0])[DX_NODE], at
        cdef int inexact, lacking
        for at in range(self.node_start[node + 1] - 1, self.node_start[node] - 1, -1):
            if self.link_place[self.node_link[at]] < self.chain.shape[0]:
                return False
            if self._link(b, r, self.node_link[at], &inexact, &lacking) == 2:
                return True
        return False

    # --- one record -------------------------------------------------------------------------

    cdef int32_t _group(self, Batch* b, Record* r, int32_t* packet) noexcept nogil:
        """The row of a sound record, or -1; ``packet`` gets the packet with operations or rules, or -1."""
        cdef Choice best[3]
        cdef const int32_t* principal = b.dx + DX_WIDTH * <Py_ssize_t>r.dx[0]
        cdef int side, place, least = 1000, winner = -1
        cdef int32_t row
        r.ready = r.touched = r.cost_tied = r.excluded = False
        r.family = 0
        r.lacking = -1
        r.n_ops = r.all_ops
        r.cls = r.all_cls
        r.main = 0
        packet[0] = -1
        if self.chain.shape[0]:
            row = self._chain(b, r, principal, packet)
            if row >= 0 or r.excluded:
                return row
        r.candidates = r.clean = 0
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
        if r.lacking >= 0:
            return self.reasons.missing[r.lacking]
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
        diagnosis of a record is the principal one. ``dx`` and ``op`` hold twelve and four attributes
        of each id, ``prefix`` six catalogue codes that its code begins with (0 for none; empty
        where codes must be equal). ``fields`` holds six float64 buffers of ``rows`` values, NaN
        for missing, or None: age in years and days, stay, discharge way, ICU hours, birth weight (g).
        ``costs``:
        millionths, negative for unknown, or None. ``flags``: grouper.base.reasons.Flag, or None.

        The outputs take, per row, the number of the catalogue row (-1 none), the number of the
        reason, warnings (1 an unknown diagnosis, 2 an unknown procedure, bit 30 a condition of primary
        care holds); and per operation in
        ``met`` 0 deleted or unused, 1 met by the packet, 2 not.
        Raises ValueError when an offset, id or attribute is out of range; nothing is then valid.
        """
        cdef Batch b
        cdef const double* column[FIELDS]
        cdef Py_ssize_t i, k, most = 0
        cdef int f
        cdef int32_t packet
        cdef Record r
        cdef int32_t* places
        read_fields(fields, rows, FIELDS, column)
        if min(results.shape[0], reasons.shape[0], warnings.shape[0]) < rows:
            raise ValueError("an output buffer is too short")
        if flags is not None and flags.shape[0] < rows or costs is not None and costs.shape[0] < rows:
            raise ValueError("the flags or costs are too short")
        if met.shape[0] < proc_ids.shape[0]:
            raise ValueError("an output buffer is too short")
        self._check_attributes(dx, op, prefix)
        check_ids(dx_offsets, dx_ids, rows, dx.shape[0] // DX_WIDTH, -1, "diagnosis")
        check_ids(proc_offsets, proc_ids, rows, op.shape[0] // OP_WIDTH, -2, "procedure")
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
                if r.fields[WEIGHT] == 0:
                    r.fields[WEIGHT] = NAN
                r.cost = costs[i] if costs is not None else -1
                warnings[i] = self._operations(
                    &b, &r, places, proc_offsets[i + 1] - proc_offsets[i]
                )
                results[i] = self._group(&b, &r, &packet)
                for k in range(r.all_ops):
                    met[proc_offsets[i] + places[k]] = (
                        1 if packet >= 0 and self._named(&b, &r, packet, <int>k, r.family) else 2
                    )
                if not r.excluded and self._overlaid(&b, &r):
                    warnings[i] |= OVERLAID
                reasons[i] = self._lacking(&b, &r, results[i])
                if reasons[i] >= 0:
                    pass
                elif results[i] >= 0:
                    reasons[i] = self.reasons.grouped
                elif r.excluded:
                    reasons[i] = self.reasons.excluded
                elif self.blank >= 0:
                    reasons[i] = self.reasons.blank
                else:
                    reasons[i] = self.reasons.ungrouped
                if results[i] < 0 and not r.excluded:
                    results[i] = self.blank
            free(places)


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
    check_ids(offsets, ids, rows, 1 << 30, -2, "code")
    with nogil:
        out_offsets[0] = 0
        for i in range(rows):
            for k in range(offsets[i], offsets[i + 1]):
                if met[k] == which:
                    out_ids[n] = ids[k]
                    n += 1
            out_offsets[i + 1] = <int32_t>n
    return n
