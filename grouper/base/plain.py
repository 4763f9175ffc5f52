"""What a name of an output leads to: a plain file, also by links, or something that is written to as it is.

To put a new file in the place of the old one is right for plain files only: a device or a pipe would be lost
to whoever reads it. They get the whole result at once, when it is whole.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from pathlib import Path

from grouper.base.errors import UsageError

_STREAMS = ("/dev/std", "/dev/fd/", "/proc/")  # names of what a process has open
_WAIT = 5.0  # seconds until a pipe that nobody reads is given up


def passes(path: str | Path) -> bool:
    """Whether what is written to ``path`` passes through it (a device, a pipe, a stream of this process)."""
    found = Path(path)
    if any(os.path.abspath(step).startswith(_STREAMS) for step in _hops(found)):
        return True
    try:
        mode = found.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def target_of(path: str | Path) -> Path:
    """The file to which a name leads, links followed. Raises UsageError for a folder, and for a socket or a
    disk, to which no result is written."""
    found = Path(os.path.realpath(path))
    if not str(path) or found.is_dir() or str(path).endswith(os.sep):
        raise UsageError(
            zh=f"输出 {str(path)!r} 是目录而不是文件；请给出文件名",
            en=f"the output {str(path)!r} is a folder, not a file: name a file",
        )
    if passes(path) and not _takes(Path(path)):
        raise UsageError(
            zh=f"输出 {path} 既不是文件，也不是管道或字符设备；请给出文件名",
            en=f"the output {path} is neither a file nor a pipe or stream: name a file",
        )
    return found


def refuse_passing(path: str | Path, flag: str = "-o") -> None:
    """Raise UsageError for an output that the call reads again, when that cannot be read."""
    if passes(path):
        raise UsageError(
            zh=f"{flag} {path} 不是普通文件；写出后还要读取它，请给出文件名",
            en=f"{flag} {path} is no plain file, and it is read again after it was written: name a file",
        )


def deliver(part: Path, path: Path) -> None:
    """Write a whole result to a device or a pipe. Raises OSError; after some seconds for a pipe without a
    reader."""
    with os.fdopen(_opened(path), "wb") as sink, part.open("rb") as source:
        shutil.copyfileobj(source, sink)


def _opened(path: Path) -> int:
    mode, end = path.stat().st_mode, time.monotonic() + _WAIT
    if not stat.S_ISFIFO(mode):
        return os.open(path, os.O_WRONLY | (os.O_APPEND if stat.S_ISREG(mode) else 0))
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > end:  # nobody reads yet
                raise
            time.sleep(0.05)
        else:
            os.set_blocking(handle, True)
            return handle


def _takes(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISREG(mode)


def _hops(path: Path) -> list[Path]:
    """A name, and what its link leads to, link by link."""
    found = [path]
    while found[-1].is_symlink() and len(found) < 40:
        to = os.readlink(found[-1])
        found.append(found[-1].parent / to)
    return found
