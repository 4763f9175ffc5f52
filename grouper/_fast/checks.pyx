# cython: language_level=3
"""Checks of buffers that both kernels make before they trust an index.

All raise ValueError, naming what is wrong; they run once a program or once a batch.
"""

from libc.stdint cimport int32_t


cdef int check_size(Py_ssize_t found, Py_ssize_t wanted, str name) except -1:
    """An array has as many values as it should."""
    if found != wanted:
        raise ValueError(f"{name} has {found} values instead of {wanted}")
    return 0


cdef int check_within(const int32_t[::1] values, Py_ssize_t low, Py_ssize_t limit, str name) except -1:
    """Every value is at least ``low`` and below ``limit``."""
    cdef Py_ssize_t i
    for i in range(values.shape[0]):
        if values[i] < low or values[i] >= limit:
            raise ValueError(f"{name} has a value out of range")
    return 0


cdef int check_steps(const int32_t[::1] values, Py_ssize_t size, Py_ssize_t limit, str name) except -1:
    """Rising positions: ``size`` of them, the first from 0 on, none past ``limit``."""
    cdef Py_ssize_t i
    if size < 1 or values.shape[0] != size:
        raise ValueError(f"{name} has {values.shape[0]} values instead of {size}")
    if values[0] < 0 or values[size - 1] > limit:
        raise ValueError(f"{name} leaves its target")
    for i in range(size - 1):
        if values[i] > values[i + 1]:
            raise ValueError(f"{name} falls")
    return 0


cdef int check_ids(
    const int32_t[::1] offsets, const int32_t[::1] ids, Py_ssize_t rows, Py_ssize_t limit,
    int32_t lowest, str what,
) except -1:
    """The offsets of ``rows`` records stay inside the ids, and the ids from ``lowest`` to below ``limit``."""
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


cdef int read_fields(list fields, Py_ssize_t rows, int number, const double** columns) except -1:
    """Pointers to the float64 buffers of ``fields``, NULL for None; each has at least ``rows`` values.

    The pointers live as long as the buffers that the caller holds in ``fields``.
    """
    cdef const double[::1] values
    cdef int f
    if rows < 0 or len(fields) != number:
        raise ValueError(f"rows and {number} fields are needed")
    for f in range(number):
        columns[f] = NULL
        if fields[f] is not None:
            values = fields[f]
            if values.shape[0] < rows:
                raise ValueError("a field is too short")
            columns[f] = &values[0] if rows else NULL
    return 0
