"""A process with everything loaded that forks the real command line for each call it reads.

So a crash or a hang takes nobody with it, and a call costs what it computes, not what it imports. Reads JSON
lines {"argv", "folder", "stdin", "limit", "seconds"}; answers {"code", "out", "err"}: ``code`` is the exit
status, minus the signal that ended it, or null when it did not end in time.
"""

# ruff: noqa: E501  # a kind is a line
from __future__ import annotations

import functools
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

SCHEMES = ("chs-drg-2.0", "chs-drg-3.0", "dip-taian-2025")


def main() -> None:
    import duckdb  # noqa: F401
    import fastexcel  # noqa: F401
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet
    import xlsxwriter  # noqa: F401

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    from grouper.commands import COMMANDS, cli

    for name in COMMANDS:
        cli.get_command(None, name)
    _keep_schemes()
    for line in sys.stdin:
        call = json.loads(line)
        folder = Path(call["folder"])
        pid = os.fork()
        if pid == 0:
            _child(call, folder)
        code = _wait(pid, call["seconds"])
        texts = [(folder / name).read_bytes().decode("utf-8", "replace") for name in (".out", ".err")]
        print(json.dumps({"code": code, "out": texts[0], "err": texts[1]}), flush=True)


def _keep_schemes() -> None:
    """Shipped schemes are loaded once; a call with options of its own loads its own."""
    from grouper.grouping import api

    load = functools.cache(api.load_scheme)
    real = api.load_scheme

    def kept(name: str, **options: object) -> object:
        try:
            return load(name, **options) if name in SCHEMES else real(name, **options)
        except TypeError:  # an option that cannot be a key
            return real(name, **options)

    api.load_scheme = kept  # type: ignore[assignment]
    from grouper.settlement.plan import job

    job.load_scheme = kept  # type: ignore[attr-defined]
    usual = {"codes": "insurance", "repair_codes": False, "stay": "given", "age": "dates",
             "age_days_unit": None, "allow_missing": (), "lang": "en", "when": None, "profile": None, "prefix": ""}  # fmt: skip
    for name in SCHEMES:
        load(name, **usual)


def _child(call: dict[str, object], folder: Path) -> None:
    os.setsid()
    os.chdir(folder)
    for number, name, flags in (
        (0, call["stdin"] or os.devnull, os.O_RDONLY),
        (1, ".out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        handle = os.open(str(name), flags, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    tmp = folder / ".tmp"
    tmp.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(tmp)
    import tempfile

    tempfile.tempdir = str(tmp)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if call["limit"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (call["limit"],) * 2)  # type: ignore[arg-type]
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115  # they last as long as the process
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]
    sys.argv = ["grouper", *call["argv"]]  # type: ignore[misc]
    from grouper.commands import main as command

    code = 0
    try:
        command()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 99
    import atexit

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 98
    atexit._run_exitfuncs()
    os._exit(code)


def _wait(pid: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    pause = 0.002
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(pause)
        pause = min(pause * 1.3, 0.05)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


if __name__ == "__main__":
    main()
