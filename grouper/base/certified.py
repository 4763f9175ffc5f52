"""Files as they were when their digest was taken: what is certified is what was read.

A digest is of the bytes of a moment; the file may be another one when it is read. So every file is marked
when its digest is taken (device, inode, size, times of change), and looked at again after all reading: the
marks must be the same, and so must the digest. A file that is replaced or changed has another inode or time
of change, even when its old content is put back; the second digest catches what a coarse clock or a network
disk would hide. It costs one more read of files that are in memory by then.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grouper.base.digests import sha256
from grouper.base.errors import DataError, UsageError
from grouper.base.paths import need_plain

Mark = tuple[int, ...]


@dataclass
class Certified:
    """Files and folders that a run reads, as they were at their digest."""

    _files: dict[Path, tuple[Mark, str]] = field(default_factory=dict)
    _folders: dict[Path, list[Path]] = field(default_factory=dict)

    def files(self, path: str | Path) -> list[Path]:
        """The file, or the files below a folder in order, which must stay the same ones."""
        place = Path(path)
        if not place.is_dir():
            return [place]
        self._folders[place] = _below(place)
        return self._folders[place]

    def digest(self, path: Path) -> dict[str, Any]:
        """Bytes and SHA-256 of a file. Raises UsageError when it cannot be read, DataError when it is written
        to meanwhile."""
        need_plain(path)
        try:
            with path.open("rb") as file:
                before = _mark(os.fstat(file.fileno()))
                found = hashlib.file_digest(file, "sha256").hexdigest()
                size, after = file.tell(), _mark(os.fstat(file.fileno()))
        except OSError as error:
            raise UsageError(
                zh=f"无法读取 {path}：{error.strerror}", en=f"cannot read {path}: {error.strerror}"
            ) from error
        if before != after or before != self._files.setdefault(path, (after, found))[0]:
            raise _changed(path)
        return {"bytes": size, "sha256": found}

    def look(self) -> None:
        """Raises DataError for a file whose marks are no longer the same; reads nothing."""
        for path, (mark, _) in self._files.items():
            if _mark_of(path) != mark:
                raise _changed(path)
        for folder, files in self._folders.items():
            if _below(folder) != files:
                raise _changed(folder)

    def check(self) -> None:
        """Raises DataError for a file that is not the one that was certified, by its marks or its content."""
        self.look()
        for path, (_, digest) in self._files.items():
            try:
                found = sha256(path)
            except OSError as error:
                raise _changed(path) from error
            if found != digest:
                raise _changed(path)
        self.look()


def marks(paths: Sequence[str]) -> dict[str, Mark | None]:
    """The marks of plain files, those below folders too, to be compared with those after they were read and
    digested."""
    found: dict[str, Mark | None] = {}
    for path in map(Path, paths):
        found |= {str(file): _mark_of(file) for file in (_below(path) if path.is_dir() else [path])
                  if file.is_file()}  # fmt: skip
    return found


def same_marks(before: dict[str, Mark | None]) -> None:
    """Raises DataError for a file that has other marks than before."""
    for path, mark in before.items():
        if _mark_of(Path(path)) != mark:
            raise _changed(Path(path))


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _mark_of(path: Path) -> Mark | None:
    try:
        return _mark(path.stat())
    except OSError:
        return None


def _mark(found: os.stat_result) -> Mark:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _changed(path: Path) -> DataError:
    return DataError(
        zh=f"{path} 在运行读取期间被替换或改动，读到的可能不是登记 SHA-256 的内容；没有写出结果，"
        "请等文件不再变动后重新运行",
        en=f"{path} was replaced or changed while the run was reading it, so that what was read may not be "
        "what its SHA-256 says; nothing was written. Run again when the file is left alone",
    )
