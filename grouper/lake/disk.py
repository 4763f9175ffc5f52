"""Files and folders of a lake: digests, what the disk keeps, folders that are made and removed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names of a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make(folder: Path, root: Path) -> list[Path]:
    """Make a folder; returns it and those above it that got a new name in them."""
    named = [folder]
    while folder != root and not folder.is_dir():
        folder = folder.parent
        named.append(folder)
    named[0].mkdir(parents=True, exist_ok=True)
    return named


def prune(folder: Path, root: Path) -> None:
    """Remove folders that have become empty, up to ``root``."""
    while folder != root:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent
