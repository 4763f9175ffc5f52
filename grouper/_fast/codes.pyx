# cython: language_level=3
"""Code strings of Arrow buffers -> int32 ids, without a Python object per value.

All functions take buffers with known sizes and check every offset and index against
them; a violation raises ValueError and writes nothing that could be mistaken for a result.
"""

cimport cython
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

BLANK = -1      # null or empty text: no code here
LOST_ZERO = -2  # a procedure code that seems to have lost its leading zero
MISS = -3       # not in the index: the caller decides

cdef enum:
    C_BLANK = -1
    C_MISS = -3

ctypedef fused offset_t:
    int32_t
    int64_t


@cython.overflowcheck(False)  # the multiplications are meant to wrap
cdef inline uint64_t _hash(const uint8_t* text, Py_ssize_t length) noexcept nogil:
    cdef uint64_t h = <uint64_t>length * 0x9E3779B97F4A7C15ULL
    cdef uint64_t chunk
    while length >= 8:
        memcpy(&chunk, text, 8)
        h = (h ^ chunk) * 0xFF51AFD7ED558CCDULL
        h ^= h >> 32
        text += 8
        length -= 8
    if length > 0:
        chunk = 0
        memcpy(&chunk, text, length)
        h = (h ^ chunk) * 0xFF51AFD7ED558CCDULL
        h ^= h >> 32
    return h


cdef inline bint _valid(const uint8_t* bits, Py_ssize_t i) noexcept nogil:
    return bits == NULL or (bits[i >> 3] >> (i & 7)) & 1


cdef class CodeIndex:
    """An immutable map from code texts (bytes) to int32 ids; safe to share between threads."""

    cdef uint8_t* blob
    cdef int64_t* starts   # n + 1 offsets into blob
    cdef int32_t* values
    cdef int32_t* slots    # open addressing; entry number, or -1
    cdef uint64_t mask
    cdef readonly Py_ssize_t size

    def __cinit__(self, keys, values):
        cdef Py_ssize_t n = len(keys), i, total = 0
        cdef uint64_t capacity = 16, at
        cdef bytes key
        if len(values) != n:
            raise ValueError("as many values as keys are needed")
        for key in keys:
            total += len(key)
        while capacity < <uint64_t>(2 * n + 2):
            capacity *= 2
        self.size = n
        self.mask = capacity - 1
        self.blob = <uint8_t*>malloc(total + 1)
        self.starts = <int64_t*>malloc((n + 1) * sizeof(int64_t))
        self.values = <int32_t*>malloc((n + 1) * sizeof(int32_t))
        self.slots = <int32_t*>malloc(capacity * sizeof(int32_t))
        if not (self.blob and self.starts and self.values and self.slots):
            raise MemoryError()
        for at in range(capacity):
            self.slots[at] = -1
        total = 0
        for i in range(n):
            key = keys[i]
            self.starts[i] = total
            memcpy(self.blob + total, <const uint8_t*>key, len(key))
            total += len(key)
            self.starts[i + 1] = total
            self.values[i] = values[i]
            at = _hash(<const uint8_t*>key, len(key)) & self.mask
            while self.slots[at] >= 0:
                if self._equal(self.slots[at], <const uint8_t*>key, len(key)):
                    raise ValueError(f"the key {key!r} stands twice")
                at = (at + 1) & self.mask
            self.slots[at] = <int32_t>i
        if n == 0:
            self.starts[0] = 0

    def __dealloc__(self):
        free(self.blob)
        free(self.starts)
        free(self.values)
        free(self.slots)

    cdef inline bint _equal(self, int32_t entry, const uint8_t* text, Py_ssize_t length) noexcept nogil:
        cdef int64_t start = self.starts[entry]
        if self.starts[entry + 1] - start != length:
            return False
        return memcmp(self.blob + start, text, length) == 0

    cdef inline int32_t find(self, const uint8_t* text, Py_ssize_t length) noexcept nogil:
        cdef uint64_t at
        cdef int32_t entry
        if length == 0:
            return C_BLANK
        at = _hash(text, length) & self.mask
        while True:
            entry = self.slots[at]
            if entry < 0:
                return C_MISS
            if self._equal(entry, text, length):
                return self.values[entry]
            at = (at + 1) & self.mask

    def get(self, bytes key):
        """The id of one text; BLANK when it is empty, MISS when it is not in the index."""
        return self.find(<const uint8_t*>key, len(key))


cdef const uint8_t* _bits(const uint8_t[::1] validity, Py_ssize_t start, Py_ssize_t length) except? NULL:
    """The validity bitmap, or NULL when there is none."""
    if validity is None:
        return NULL
    if validity.shape[0] * 8 < start + length:
        raise ValueError("the validity bitmap is too short")
    return &validity[0] if validity.shape[0] else NULL


cdef int _range(Py_ssize_t start, Py_ssize_t length, Py_ssize_t out) except -1:
    if start < 0 or length < 0 or start + length < start:
        raise ValueError("negative start or length")
    if out < length:
        raise ValueError("the output buffer is too short")
    return 0


def lookup_strings(
    CodeIndex index not None, const offset_t[::1] offsets, const uint8_t[::1] data,
    const uint8_t[::1] validity, Py_ssize_t start, Py_ssize_t length, int32_t[::1] out,
):
    """Ids of the values ``start … start + length`` of a utf8 or large_utf8 array.

    ``out`` receives an id, BLANK for null and empty values, MISS for unknown ones; the number
    of those is returned. Raises ValueError when an offset leaves the data.
    """
    _range(start, length, out.shape[0])
    if length == 0:
        return 0
    if offsets.shape[0] < start + length + 1:
        raise ValueError("the offsets buffer is too short")
    cdef const uint8_t* bits = _bits(validity, start, length)
    cdef Py_ssize_t size = data.shape[0] if data is not None else 0
    cdef const uint8_t* text = &data[0] if size else NULL
    cdef const offset_t* ends = &offsets[0]
    cdef int32_t* result = &out[0]
    cdef Py_ssize_t i, misses = 0
    cdef offset_t low, high
    cdef bint broken = False
    with nogil:
        for i in range(length):
            low = ends[start + i]
            high = ends[start + i + 1]
            if low < 0 or high < low or high > size:
                broken = True
                break
            if not _valid(bits, start + i) or low == high:
                result[i] = C_BLANK
            else:
                result[i] = index.find(text + low, high - low)
                misses += result[i] == C_MISS
    if broken:
        raise ValueError("a string offset is out of range")
    return misses


cdef struct Chunk:
    const uint8_t* data
    int64_t size


def lookup_views(
    CodeIndex index not None, const uint8_t[::1] views, buffers, const uint8_t[::1] validity,
    Py_ssize_t start, Py_ssize_t length, int32_t[::1] out,
):
    """As :func:`lookup_strings`, for a utf8_view array: 16-byte views and data buffers."""
    _range(start, length, out.shape[0])
    if length == 0:
        return 0
    if views.shape[0] < 16 * (start + length):
        raise ValueError("the views buffer is too short")
    cdef const uint8_t* bits = _bits(validity, start, length)
    cdef Py_ssize_t count = len(buffers), i, misses = 0
    cdef Chunk* chunks = <Chunk*>calloc(count + 1, sizeof(Chunk))
    cdef const uint8_t[::1] chunk
    cdef const uint8_t* view
    cdef const uint8_t* base = &views[0]
    cdef int32_t* result = &out[0]
    cdef int32_t size, number, offset
    cdef bint broken = False
    if chunks == NULL:
        raise MemoryError()
    try:
        for i in range(count):
            chunk = buffers[i]
            chunks[i].size = chunk.shape[0]
            chunks[i].data = &chunk[0] if chunk.shape[0] else NULL
        with nogil:
            for i in range(length):
                if not _valid(bits, start + i):
                    result[i] = C_BLANK
                    continue
                view = base + 16 * (start + i)
                memcpy(&size, view, 4)
                if size < 0:
                    broken = True
                    break
                if size <= 12:
                    result[i] = index.find(view + 4, size)
                    misses += result[i] == C_MISS
                    continue
                memcpy(&number, view + 8, 4)
                memcpy(&offset, view + 12, 4)
                if number < 0 or number >= count or offset < 0 or (
                    <int64_t>offset + size > chunks[number].size
                ):
                    broken = True
                    break
                result[i] = index.find(chunks[number].data + offset, size)
                misses += result[i] == C_MISS
    finally:
        free(chunks)
    if broken:
        raise ValueError("a string view is out of range")
    return misses


def take(
    const int32_t[::1] ids, const uint8_t[::1] indices, int width, bint signed,
    const uint8_t[::1] validity, Py_ssize_t start, Py_ssize_t length, int32_t[::1] out,
):
    """Ids of a dictionary column: ``ids`` of its values, chosen by ``indices`` of 1, 2, 4 or 8 bytes.

    Null indices give BLANK. Raises ValueError when an index is out of range.
    """
    _range(start, length, out.shape[0])
    if width not in (1, 2, 4, 8):
        raise ValueError("the index width must be 1, 2, 4 or 8 bytes")
    if length == 0:
        return
    if indices.shape[0] < width * (start + length):
        raise ValueError("the index buffer is too short")
    cdef const uint8_t* bits = _bits(validity, start, length)
    cdef const uint8_t* raw = &indices[0] + width * start
    cdef const int32_t* table = &ids[0] if ids.shape[0] else NULL
    cdef int32_t* result = &out[0]
    cdef uint64_t size = ids.shape[0]
    cdef Py_ssize_t i
    cdef uint64_t at
    cdef bint broken = False
    with nogil:
        for i in range(length):
            if not _valid(bits, start + i):
                result[i] = C_BLANK
                continue
            # A negative index becomes a huge one and fails the same test.
            if width == 4:
                at = <uint64_t>(<int64_t>(<const int32_t*>raw)[i]) if signed else (<const uint32_t*>raw)[i]
            elif width == 2:
                at = <uint64_t>(<int64_t>(<const int16_t*>raw)[i]) if signed else (<const uint16_t*>raw)[i]
            elif width == 1:
                at = <uint64_t>(<int64_t>(<const int8_t*>raw)[i]) if signed else raw[i]
            else:
                at = (<const uint64_t*>raw)[i]
            if at >= size:
                broken = True
                break
            result[i] = table[at]
    if broken:
        raise ValueError("a dictionary index is out of range")


def check_offsets(const offset_t[::1] offsets, Py_ssize_t start, Py_ssize_t length, Py_ssize_t values):
    """The first and last value position that the list rows ``start … start + length`` use.

    Raises ValueError when the offsets fall, are negative, or leave ``values``.
    """
    _range(start, length, length)
    if offsets.shape[0] < start + length + 1:
        raise ValueError("the list offsets buffer is too short")
    cdef Py_ssize_t i
    cdef bint broken = offsets[start] < 0 or offsets[start + length] > values
    with nogil:
        for i in range(start, start + length):
            if offsets[i] > offsets[i + 1]:
                broken = True
                break
    if broken:
        raise ValueError("a list offset is out of range")
    return offsets[start], offsets[start + length]


def compact(
    const offset_t[::1] offsets, Py_ssize_t start, Py_ssize_t length, const uint8_t[::1] validity,
    const int32_t[::1] ids, Py_ssize_t first, bint keep_first, int32_t[::1] out_offsets, int32_t[::1] out_ids,
):
    """Copy list rows without their BLANK ids; returns the number of ids that are left.

    ``ids[0]`` belongs to value position ``first``. With ``keep_first`` a blank at the
    head of a row stays: there the principal diagnosis is missing. Null rows become empty.
    The offsets must have passed :func:`check_offsets`.
    """
    _range(start, length, out_offsets.shape[0] - 1)
    cdef const uint8_t* bits = _bits(validity, start, length)
    cdef Py_ssize_t i, k, n = 0, low, high, size = ids.shape[0], room = out_ids.shape[0]
    cdef int32_t code
    cdef bint broken = False
    if offsets.shape[0] < start + length + 1 or out_offsets.shape[0] < 1:
        raise ValueError("the list offsets buffer is too short")
    with nogil:
        out_offsets[0] = 0
        for i in range(length):
            if _valid(bits, start + i):
                low = offsets[start + i] - first
                high = offsets[start + i + 1] - first
                if low < 0 or high < low or high > size or n + high - low > room:
                    broken = True
                    break
                for k in range(low, high):
                    code = ids[k]
                    if code != C_BLANK or (keep_first and k == low):
                        out_ids[n] = code
                        n += 1
            out_offsets[i + 1] = <int32_t>n
    if broken:
        raise ValueError("a list offset is out of range")
    return n
