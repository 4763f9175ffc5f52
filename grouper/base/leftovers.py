"""What processes that were killed left behind: parts of files, spills, and which of them are provably ours.

Every passing file or folder has a name ``….MACHINE.PROCESS…``: it is removed by a later run when the machine
(with its space of process numbers) is this one, no such process runs any more and it is this user's. All
else is named and stays: it may be the work of another machine on the same disk.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from grouper.base.digests import sha256_of

PART = ".part"
_OURS = re.compile(r"\.([0-9a-f]{8})\.([0-9]{1,10})(?:\.\w+){0,2}$")
_OLD = re.compile(r"\.[0-9]{1,10}\.part$")  # as they were named up to 0.1


@cache
def machine() -> str:
    """This machine, and the space in which its process numbers count, as eight letters."""
    space = ""
    with suppress(OSError, AttributeError):
        space = os.readlink("/proc/self/ns/pid")
    return sha256_of(f"{platform.node()} {space}")[:8]


def tag() -> str:
    """What the names of this process's passing files and folders hold."""
    return f"{machine()}.{os.getpid()}"


def clear(folder: Path, begins: str) -> list[str]:
    """Remove what dead processes of ours left in ``folder`` under names that begin so; the names of what
    looks left behind and stays, as nothing proves it."""
    unknown = []
    for name in _names(folder):
        if not name.startswith(begins):
            continue
        rest, path = name[len(begins) :], folder / name
        if found := _OURS.fullmatch(rest):
            if found[1] != machine() or os.name != "posix":
                unknown.append(name)
            elif not _runs(int(found[2])):
                _remove(path)
        elif _OLD.fullmatch(rest):
            unknown.append(name)
    return sorted(unknown)


def clear_parts(path: str | Path) -> list[str]:
    """The same of the parts of one file; the names of those that stay."""
    path = Path(path)
    return clear(path.parent, f".{path.name}")


def clear_folder(folder: Path) -> list[str]:
    """The same of the parts of all files in a folder."""
    parts = {name for name in _names(folder) if name.startswith(".") and name.endswith(PART)}
    found = {name[: match.start()] for name in parts if (match := _OURS.search(name) or _OLD.search(name))}
    return sorted(name for begins in found for name in clear(folder, begins))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return True


def _remove(path: Path) -> None:
    """A file or a folder of this user; anything else stays."""
    with suppress(OSError):
        found = path.lstat()
        if found.st_uid != os.geteuid():
            return
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
