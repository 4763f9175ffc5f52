"""Files in and out: inputs named by their digests, tables and their sidecars written whole or not at all."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV with LF; None is empty, truth values are true and false."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole. Raises UsageError when it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        raise UsageError(
            zh=f"无法写入 {path}：{error.strerror}", en=f"cannot write {path}: {error.strerror}"
        ) from error
    finally:
        part.unlink(missing_ok=True)
