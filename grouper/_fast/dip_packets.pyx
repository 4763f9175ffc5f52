# cython: language_level=3
"""What a packet asks of a record: its operations; and the row of the packet that auxiliary classes choose."""

cimport cython
from libc.math cimport isnan
from libc.stdint cimport int32_t, uint64_t

from grouper._fast.dip_tables cimport *


cdef class DipPackets(DipTables):
    """The packets of a compiled catalogue."""

    # --- requirements -----------------------------------------------------------------------

    @cython.final
    cdef int _meets(
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

    @cython.final
    cdef int _term(self, Batch* b, Record* r, int32_t term, int at, int family) noexcept nogil:
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

    @cython.final
    cdef bint _own(self, Batch* b, Record* r, Owners* owners, int term, int family) noexcept nogil:
        """Give a term an operation of its own, moving other terms where needed."""
        cdef int at, k, owner
        for at in range(r.n_ops):
            if at == r.main and term >= owners.main:
                continue
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
        self, Batch* b, Record* r, int32_t packet, int family, bint own_main, int* inexact
    ) noexcept nogil:
        """Whether all terms of a packet are met, by operations of their own where repeats count.

        ``own_main``: the main operation of the record then meets none of the related terms.
        """
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
            owners.main = self.packet_main[packet] if own_main else count
            for k in range(count):
                owners.op[k] = -1
            for k in range(count):
                owners.seen = <uint64_t>1 << <uint64_t>k
                if not self._own(b, r, &owners, k, family):
                    return False
        return True

    cdef bint _first(self, Batch* b, Record* r, int32_t term, int count, int family) noexcept nogil:
        """Whether the record's main operation meets one of ``count`` terms."""
        cdef int k
        if r.n_ops == 0:
            return False
        for k in range(count):
            if self._term(b, r, term + k, r.main, family):
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

    @cython.final
    cdef void _level(self, Record* r, int type_, int level) noexcept nogil:
        r.level[type_][r.levels[type_]] = level
        r.levels[type_] += 1

    @cython.final
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

    @cython.final
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
        for k in range(r.all_ops):
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

    # --- what counts of a record --------------------------------------------------------------

    cdef int _operations(
        self, Batch* b, Record* r, int32_t* places, Py_ssize_t n
    ) noexcept nogil:
        """Find the operations that count and their highest class; returns the warnings."""
        cdef Py_ssize_t k
        cdef const int32_t* op
        cdef int found = 0
        r.all_ops = 0
        r.all_cls = 0
        for k in range(r.n_dx):
            found |= (b.dx + DX_WIDTH * <Py_ssize_t>r.dx[k])[DX_UNKNOWN] & 1
        for k in range(n):
            op = b.op + OP_WIDTH * <Py_ssize_t>r.proc[k]
            if op[OP_FLAGS] & 8:
                found |= 2
            if not op[OP_FLAGS] & 1:
                places[r.all_ops] = <int32_t>k
                r.all_ops += 1
                r.all_cls = max(r.all_cls, <int>op[OP_CLASS])
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


cdef inline int _lowest_bit(int32_t flags) noexcept nogil:
    cdef int k = 0
    while not flags >> k & 1:
        k += 1
    return k
