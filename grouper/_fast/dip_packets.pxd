"""What packets ask of a record; see dip_packets.pyx."""

cimport cython
from libc.stdint cimport int32_t

from grouper._fast.dip_tables cimport *


cdef class DipPackets(DipTables):
    @cython.final
    cdef int _meets(self, const int32_t* op, const int32_t* prefix, int32_t symbol, int family) noexcept nogil
    @cython.final
    cdef int _term(self, Batch* b, Record* r, int32_t term, int at, int family) noexcept nogil
    @cython.final
    cdef bint _own(self, Batch* b, Record* r, Owners* owners, int term, int family) noexcept nogil
    cdef bint _all_met(self, Batch* b, Record* r, int32_t packet, int family, bint own_main, int* inexact) noexcept nogil
    cdef bint _first(self, Batch* b, Record* r, int32_t term, int count, int family) noexcept nogil
    cdef bint _named(self, Batch* b, Record* r, int32_t packet, int at, int family) noexcept nogil
    @cython.final
    cdef void _level(self, Record* r, int type_, int level) noexcept nogil
    @cython.final
    cdef int _complication(self, Batch* b, Record* r) noexcept nogil
    @cython.final
    cdef void _levels(self, Batch* b, Record* r) noexcept nogil
    cdef int32_t _row(self, Batch* b, Record* r, int32_t choice) noexcept nogil
    cdef int _operations(self, Batch* b, Record* r, int32_t* places, Py_ssize_t n) noexcept nogil
    cdef int _unusable(self, Batch* b, Record* r, Py_ssize_t n_proc, int32_t flags) noexcept nogil
