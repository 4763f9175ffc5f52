"""What the machine says of this process, where it says it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from grouper.base.errors import UsageError

_LEAST = 256  # MiB that a database needs to work at all
_MEMINFO, _GROUPS = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?(?:[KMGT]i?B|[KMGT]|B)", re.ASCII | re.IGNORECASE)


def memory_size(text: str, flag: str = "--memory") -> str:
    """A size of memory as the database takes it, such as 4GB or 512MiB. Raises UsageError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise UsageError(
            zh=f"无法使用 {flag} {text[:40]!r}：应为容量，例如 4GB、512MiB",
            en=f"{flag} {text[:40]!r} cannot be used: it takes a size such as 4GB or 512MiB",
        )
    return text.strip()


def free_mib() -> int | None:
    """Memory that programs may still take, in MiB: of the machine, or of a container with a limit.
    None where the system does not tell (all but Linux)."""
    try:
        told = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
        free = int(told["MemAvailable"].split()[0]) >> 10
    except (OSError, KeyError, ValueError, IndexError):
        return None
    for limit, used in (("memory.max", "memory.current"),
                        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):  # fmt: skip
        try:
            left = int((_GROUPS / limit).read_text()) - int((_GROUPS / used).read_text())
        except (OSError, ValueError):  # no such limit, or "max"
            continue
        free = min(free, max(left, 0) >> 20)
    return free


def database_memory() -> str | None:
    """What a database may take where nobody says it: a quarter of what is free, as two are open at most; so
    both take half. It changes where rows wait, in memory or on the disk, and no result."""
    free = free_mib()
    return None if free is None else f"{max(free // 4, _LEAST)}MiB"


def peak_rss_mib() -> int | None:
    """The most memory that the process has had, in MiB; None where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)  # bytes there, KiB elsewhere
