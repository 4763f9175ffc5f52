"""A source read by a thread of its own, one item ahead of whoever takes it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ahead(items: Iterator[Any]) -> Iterator[Iterator[Any]]:
    """``items`` read by a thread, one ahead of the consumer; errors arrive where they are consumed."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=1)
    stop = threading.Event()

    def offer(item: tuple[str, Any]) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for item in items:
                if not offer(("item", item)):
                    return
            offer(("end", None))
        except BaseException as error:
            offer(("error", error))

    def taken() -> Iterator[Any]:
        while True:
            kind, item = ready.get()
            if kind == "error":
                raise item
            if kind == "end":
                return
            yield item

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stop.set()
        thread.join()
