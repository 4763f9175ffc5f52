"""One writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from grouper.base.errors import UsageError
from grouper.lake.layout import LOCK, Lake


@contextmanager
def writing(lake: Lake) -> Iterator[None]:
    """Hold the lake's lock. The system releases it when the process dies, however that is.

    Raises UsageError when another run holds it, or the folder cannot be made.
    """
    lock = FileLock(lake.root / LOCK, timeout=0)
    try:
        lake.root.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            zh=f"另一个运行正在写 {lake.root}；请等它结束后再试",
            en=f"another run is writing {lake.root}; try again when it has finished",
        ) from error
    except OSError as error:
        raise UsageError(
            zh=f"无法写入 {lake.root}：{error.strerror}", en=f"cannot write {lake.root}: {error.strerror}"
        ) from error
    try:
        yield
    finally:
        lock.release()
