"""One writer at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from grouper.base.errors import UsageError
from grouper.lake.layout import LOCK, Lake


@contextmanager
def writing(lake: Lake) -> Iterator[None]:
    """Hold the lake's lock. The kernel releases it when the process dies, however that is.

    Raises UsageError when another run holds it, or the folder cannot be made.
    """
    try:
        lake.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(lake.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UsageError(
            zh=f"无法写入 {lake.root}：{error.strerror}", en=f"cannot write {lake.root}: {error.strerror}"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise UsageError(
            zh=f"另一个运行正在写 {lake.root}；请等它结束后再试",
            en=f"another run is writing {lake.root}; try again when it has finished",
        ) from error
    try:
        yield
    finally:
        os.close(handle)
