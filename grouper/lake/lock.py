"""One writer at a time."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from grouper.base.errors import UsageError
from grouper.lake.layout import LOCK, Lake

_TOLD_FROM = 1  # Windows locks the first byte of the file: nobody else may read or write it


@contextmanager
def writing(lake: Lake) -> Iterator[None]:
    """Hold the lake's lock. The system releases it when the process dies, however that is.

    Raises UsageError when another run holds it, which it names where that is known, or when the folder
    cannot be made.
    """
    path = lake.root / LOCK
    lock = FileLock(path, timeout=0)
    try:
        lake.root.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise held(lake) from error
    except OSError as error:
        raise UsageError(
            zh=f"无法写入 {lake.root}：{error.strerror}", en=f"cannot write {lake.root}: {error.strerror}"
        ) from error
    try:
        now = datetime.now().astimezone().isoformat(" ", "seconds")
        _tell(path, json.dumps({"process": os.getpid(), "host": platform.node(), "since": now}))
        yield
    finally:
        _tell(path, "")
        lock.release()


def held(lake: Lake) -> UsageError:
    """The error for a lake that another run is writing."""
    who = _holder(lake.root / LOCK)
    zh = f"（主机 {who['host']} 的进程 {who['process']}，始于 {who['since']}）" if who else ""
    en = f" (process {who['process']} on {who['host']}, since {who['since']})" if who else ""
    return UsageError(
        zh=f"另一个运行正在写 {lake.root}{zh}；请等它结束后再试",
        en=f"another run is writing {lake.root}{en}; try again when it has finished",
    )


def _tell(path: Path, text: str) -> None:
    """Have the lock's file say who holds it. It only serves a message: where it cannot be, it is not."""
    with suppress(OSError), path.open("r+b") as file:
        file.seek(_TOLD_FROM)
        file.write(text.encode())
        file.truncate()


def _holder(path: Path) -> dict[str, object]:
    """Who holds the lock, {} where its file does not say so."""
    try:
        with path.open("rb") as file:
            file.seek(_TOLD_FROM)
            told = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) and {"process", "host", "since"} <= told.keys() else {}
