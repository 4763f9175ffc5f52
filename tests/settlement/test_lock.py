"""A lake that somebody writes says who: process, host and time."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grouper.base.errors import UsageError
from grouper.lake import Lake
from grouper.lake.lock import writing

HOLD = """
import sys
from pathlib import Path
from grouper.lake import Lake
from grouper.lake.lock import writing
with writing(Lake(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.readline()
"""


def holding(root: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its standard input ends."""
    command = [sys.executable, "-P", "-c", HOLD, str(root)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def refused(root: Path) -> UsageError:
    with pytest.raises(UsageError) as caught, writing(Lake(root)):
        pass
    return caught.value


def test_the_message_names_process_host_and_time_and_no_backup(tmp_path: Path) -> None:
    with holding(tmp_path / "lake") as process:
        for _ in range(2):  # whoever is refused does not take the words away
            error = refused(tmp_path / "lake")
            assert f"process {process.pid} on {platform.node()}, since " in error.en
            assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", error.en)
            assert f"主机 {platform.node()} 的进程 {process.pid}" in error.zh
            assert "backup" not in error.en and "备份" not in error.zh
        process.communicate("\n")
    with writing(Lake(tmp_path / "lake")):
        assert str(os.getpid()) in refused(tmp_path / "lake").en


def test_the_words_of_a_killed_run_are_not_believed(tmp_path: Path) -> None:
    with holding(tmp_path / "lake") as process:
        process.kill()
        process.wait()
        with writing(Lake(tmp_path / "lake")):
            error = refused(tmp_path / "lake")
    assert str(os.getpid()) in error.en and f"process {process.pid} " not in error.en


def test_a_lock_that_says_nothing_is_a_lock_all_the_same(tmp_path: Path) -> None:
    with writing(Lake(tmp_path)):
        (tmp_path / ".lock").write_bytes(b"\0{")
        assert refused(tmp_path).en == f"another run is writing {tmp_path}; try again when it has finished"
