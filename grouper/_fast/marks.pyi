"""Types of the compiled module; see marks.pyx for what the functions do."""

from typing_extensions import Buffer

class MarkTable:
    def __init__(
        self,
        principal: Buffer,
        main: Buffer,
        each: Buffer,
        keep: Buffer,
        after: Buffer,
        unknown: int,
        first_bits: int,
        second_bits: int,
    ) -> None: ...
    def apply(
        self,
        rows: int,
        dx_offsets: Buffer,
        dx_ids: Buffer,
        proc_offsets: Buffer,
        proc_ids: Buffer,
        reasons: Buffer,
        warnings: Buffer,
    ) -> None: ...

def add_by_result(rows: int, results: Buffer, adds: Buffer, warnings: Buffer) -> None: ...
