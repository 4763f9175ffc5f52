"""Arrays as other libraries hand them over, with buffers that do not hold what they say."""

from __future__ import annotations

import random
import struct
from typing import Any

import pyarrow as pa

ROWS = 6
TEXTS = ["I10.x05", "K35.800", "", "06.3100", "不是编码的一段很长的文字", "J18.900"]
ODD = (0, 1, -1, 5, 7, 12, 13, 100, 2**15, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63))


def batch(seed: int) -> pa.RecordBatch:
    """Records whose codes are in some layout of text, with one to three numbers of a buffer changed."""
    rng = random.Random(seed)
    broken = _broken(_texts(rng.choice(KINDS), rng), rng)
    lists = _lists(broken, rng)
    plain = pa.array([["I10.x05"]] * len(lists))
    columns: dict[str, Any] = {"diagnoses": lists, "procedures": plain}
    if rng.random() < 0.5:
        columns = {"diagnoses": plain, "procedures": lists}
    columns |= {
        "sex": pa.array([1] * len(lists)), "age_years": pa.array([60] * len(lists)),
        "los_days": pa.array([5] * len(lists)), "discharge_way": pa.array([1] * len(lists)),
        "department": pa.array(["内科"] * len(lists)),
        "age_days": pa.nulls(len(lists), pa.int32()), "birth_weight_g": pa.nulls(len(lists), pa.int32()),
        "admission_weight_g": pa.nulls(len(lists), pa.int32()),
        "icu_hours": pa.nulls(len(lists), pa.float64()),
        "total_cost": pa.array([100.0] * len(lists)),
    }  # fmt: skip
    if rng.random() < 0.3:
        name = rng.choice(["sex", "department", "age_years", "icu_hours", "total_cost"])
        array = columns[name]
        array = pa.array(["1"] * len(lists), pa.string_view()) if rng.random() < 0.4 else array
        columns[name] = _broken(array, rng)
    arrays = list(columns.values())
    made = pa.RecordBatch.from_arrays(arrays, list(columns))
    return made.slice(rng.randrange(2)) if rng.random() < 0.3 else made


KINDS = ("string", "large_string", "string_view", "dictionary", "dictionary_view", "null")


def _texts(kind: str, rng: random.Random) -> pa.Array:
    texts = [rng.choice([*TEXTS, None]) for _ in range(ROWS)]
    if kind == "null":
        return pa.nulls(ROWS)
    if kind.startswith("dictionary"):
        inner = pa.string_view() if kind.endswith("view") else pa.string()
        index = rng.choice([pa.int8(), pa.uint8(), pa.int16(), pa.int32(), pa.int64()])
        numbers = pa.array([rng.randrange(len(TEXTS)) for _ in range(ROWS)], index)
        words = pa.array(TEXTS, inner)
        if rng.random() < 0.5:
            words = _broken(words, rng)
        return pa.DictionaryArray.from_arrays(numbers, words, safe=False)
    return pa.array(texts, getattr(pa, kind)())


def _lists(values: pa.Array, rng: random.Random) -> pa.Array:
    large = rng.random() < 0.3
    code = "q" if large else "i"
    offsets = [0, 1, 2, 3, 5, len(values)]
    if rng.random() < 0.4:
        offsets[rng.randrange(len(offsets))] = rng.choice([n for n in ODD if large or -(2**31) <= n < 2**31])
    buffer = pa.py_buffer(struct.pack(f"<{len(offsets)}{code}", *offsets))
    kind = pa.large_list(values.type) if large else pa.list_(values.type)
    length = 5
    validity = pa.py_buffer(b"\xff") if rng.random() < 0.2 else None
    return pa.Array.from_buffers(kind, length, [validity, buffer], children=[values])


def _broken(array: pa.Array, rng: random.Random) -> pa.Array:
    """The array with some of its buffers changed, cut short, or gone."""
    if pa.types.is_null(array.type):
        return array
    if pa.types.is_dictionary(array.type):
        indices = _broken(array.indices, rng)
        indices.validate()
        return pa.DictionaryArray.from_arrays(indices, array.dictionary, safe=False)
    buffers = [None if b is None else bytearray(b.to_pybytes()) for b in array.buffers()]
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        victim = rng.randrange(len(buffers))
        data = buffers[victim]
        if data is None:
            buffers[victim] = bytearray(rng.choice([b"\0", b"\x55"])) if victim == 0 else None
        elif not data:
            continue
        elif rng.random() < 0.05:
            buffers[victim] = data[: rng.randrange(len(data))]
        else:
            size = rng.choice((1, 4, 8))
            at = rng.randrange(0, max(len(data) - size, 1), size)
            number = rng.choice(ODD) % (1 << 8 * size)
            data[at : at + size] = number.to_bytes(size, "little")[: len(data) - at]
    made = [None if b is None else pa.py_buffer(bytes(b)) for b in buffers]
    length, offset = len(array), array.offset
    if rng.random() < 0.2:
        offset, length = offset + 1, length - 1
    return pa.Array.from_buffers(array.type, length, made, offset=offset)
