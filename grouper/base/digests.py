"""Contents named by their SHA-256: of bytes, of a file, of several files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.paths import need_plain


def sha256_of(content: bytes | str) -> str:
    """The SHA-256 of bytes, or of a text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file. Raises OSError when it cannot be read."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Name, bytes and SHA-256 of each file, ordered by name and SHA-256.

    Raises UsageError for a file that cannot be read, and for the same content twice, which
    would count its cases twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        need_plain(path)
        try:
            digest, size = sha256(path), os.stat(path).st_size
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
