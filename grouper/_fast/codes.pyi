"""Types of the compiled module; see codes.pyx for what the functions do."""

from collections.abc import Sequence
from typing import Self

from typing_extensions import Buffer, disjoint_base

BLANK: int
LOST_ZERO: int
MISS: int

@disjoint_base
class CodeIndex:
    @property
    def size(self) -> int: ...
    def __new__(cls, keys: Sequence[bytes], values: Sequence[int]) -> Self: ...
    def get(self, key: bytes) -> int: ...

def lookup_strings(
    index: CodeIndex,
    offsets: Buffer,
    data: Buffer | None,
    validity: Buffer | None,
    start: int,
    length: int,
    out: Buffer,
) -> int: ...
def lookup_views(
    index: CodeIndex,
    views: Buffer,
    buffers: Sequence[Buffer],
    validity: Buffer | None,
    start: int,
    length: int,
    out: Buffer,
) -> int: ...
def take(
    ids: Buffer,
    indices: Buffer,
    width: int,
    signed: bool,
    validity: Buffer | None,
    start: int,
    length: int,
    out: Buffer,
) -> None: ...
def check_offsets(offsets: Buffer, start: int, length: int, values: int) -> tuple[int, int]: ...
def compact(
    offsets: Buffer,
    start: int,
    length: int,
    validity: Buffer | None,
    ids: Buffer,
    first: int,
    keep_first: bool,
    out_offsets: Buffer,
    out_ids: Buffer,
) -> int: ...
