"""Files named by their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

from grouper.base.errors import UsageError


def digests(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Name, bytes and SHA-256 of each file, ordered by name and SHA-256.

    Raises UsageError for a file that cannot be read, and for the same content twice, which
    would count its cases twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            raise UsageError(
                zh=f"无法读取 {path}：{error.strerror}", en=f"cannot read {path}: {error.strerror}"
            ) from error
        if digest in found:
            first = found[digest]["name"]
            raise UsageError(
                zh=f"{path} 与 {first} 内容相同，病例会重复计算；请只给一次",
                en=f"{path} has the same content as {first} and would count its cases twice; give it once",
            )
        found[digest] = {"name": os.path.basename(path), "bytes": size, "sha256": digest}
    return sorted(found.values(), key=lambda item: (item["name"], item["sha256"]))
