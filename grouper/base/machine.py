"""What the machine says of this process, where it says it."""

from __future__ import annotations

import sys


def peak_rss_mib() -> int | None:
    """The most memory that the process has had, in MiB; None where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)  # bytes there, KiB elsewhere
