"""Types of the compiled module; see dip.pyx for what the functions do."""

from typing import final

from typing_extensions import Buffer

from grouper._fast.dip_packets import DipPackets

@final
class DipProgram(DipPackets):
    def group(
        self,
        rows: int,
        dx_offsets: Buffer,
        dx_ids: Buffer,
        proc_offsets: Buffer,
        proc_ids: Buffer,
        dx: Buffer,
        op: Buffer,
        prefix: Buffer,
        fields: list[Buffer | None],
        costs: Buffer | None,
        flags: Buffer | None,
        results: Buffer,
        reasons: Buffer,
        warnings: Buffer,
        met: Buffer,
    ) -> None: ...

def pick(
    rows: int,
    offsets: Buffer,
    ids: Buffer,
    met: Buffer,
    which: int,
    out_offsets: Buffer,
    out_ids: Buffer,
) -> int: ...
