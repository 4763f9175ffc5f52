"""Thousands of damaged files of each format, read by child processes; how they ended.

    python benchmarks/flips.py [--number 2000] [--seed 1] [--keep FOLDER] [FORMAT …]

Exit code 3 when one of them ended otherwise than refused or with a result.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))  # behind the installed package

from tests.flips.pool import main

if __name__ == "__main__":
    main()
