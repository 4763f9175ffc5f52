"""Types of the compiled module; see drg.pyx for what the methods do."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import Buffer

class DrgProgram:
    results: int
    def __init__(self, spec: dict[str, Any]) -> None: ...
    def group(
        self,
        rows: int,
        dx_offsets: Buffer,
        dx_ids: Buffer,
        proc_offsets: Buffer,
        proc_ids: Buffer,
        fields: Sequence[Buffer | None],
        flags: Buffer | None,
        results: Buffer,
        reasons: Buffer,
        severity: Buffer,
        severity_by: Buffer,
        warnings: Buffer,
    ) -> None: ...
