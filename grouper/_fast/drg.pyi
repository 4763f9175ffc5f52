"""Types of the compiled module; see drg.pyx for what the methods do."""

from typing import final

from typing_extensions import Buffer

from grouper._fast.drg_tables import DrgTables

@final
class DrgProgram(DrgTables):
    def group(
        self,
        rows: int,
        dx_offsets: Buffer,
        dx_ids: Buffer,
        proc_offsets: Buffer,
        proc_ids: Buffer,
        fields: list[Buffer | None],
        flags: Buffer | None,
        results: Buffer,
        reasons: Buffer,
        severity: Buffer,
        severity_by: Buffer,
        warnings: Buffer,
    ) -> None: ...
