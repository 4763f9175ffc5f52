"""Where a database may put what does not fit in memory: a folder that nobody else can look into.

DuckDB's own choice is ``.tmp`` in the folder of the call, open to whoever may read that.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

from grouper.base.leftovers import clear, tag


def spill_folder(output: str | Path = "") -> str:
    """A folder for spills: beside ``output`` where that lies in a private folder, which has the room that the
    output needs; else one of this process in the system's place for temporary files (``TMPDIR``)."""
    if output and str(output) != "-":
        folder = Path(output).resolve().parent
        if folder.is_dir() and folder.stat().st_mode & 0o077 == 0:
            return str(folder / "spill")
    return _of_process(os.getpid())


@lru_cache(maxsize=64)
def _of_process(process: int) -> str:
    clear(Path(tempfile.gettempdir()), "grouper")  # what killed processes left: spills, and their input
    folder = tempfile.mkdtemp(prefix=f"grouper.{tag()}.")  # of mode 0700
    atexit.register(_remove, process, folder)
    return folder


def _remove(process: int, folder: str) -> None:
    if os.getpid() == process:  # a fork has the handlers of its parent
        shutil.rmtree(folder, ignore_errors=True)
