"""What the machine says of this process, where it says it."""

from __future__ import annotations

import re
import sys

from grouper.base.errors import UsageError

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


def peak_rss_mib() -> int | None:
    """The most memory that the process has had, in MiB; None where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)  # bytes there, KiB elsewhere
