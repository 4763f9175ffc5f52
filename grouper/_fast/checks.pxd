"""Checks of buffers that both kernels make before they trust an index."""

from libc.stdint cimport int32_t

cdef int check_size(Py_ssize_t found, Py_ssize_t wanted, str name) except -1
cdef int check_within(const int32_t[::1] values, Py_ssize_t low, Py_ssize_t limit, str name) except -1
cdef int check_steps(const int32_t[::1] values, Py_ssize_t size, Py_ssize_t limit, str name) except -1
cdef int check_ids(
    const int32_t[::1] offsets, const int32_t[::1] ids, Py_ssize_t rows, Py_ssize_t limit,
    int32_t lowest, str what,
) except -1
cdef int read_fields(list fields, Py_ssize_t rows, int number, const double** columns) except -1
