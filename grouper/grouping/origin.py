"""Where a loaded scheme comes from, so that another process makes the same engine of it again.

An engine is compiled tables of a kernel, megabytes of them; what is sent in a pickle (to a pool of processes,
to workers of Spark) is the id of its scheme, or the path of its folder, with the digest of the tables.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, NamedTuple

from grouper.base.errors import TableError
from grouper.codes.book import CodeOptions
from grouper.grouping.compiled import CompiledEngine
from grouper.grouping.engine import Engine
from grouper.grouping.family import family
from grouper.grouping.locate import Located, locate

_KEPT = 4  # engines that a process keeps of those it was sent


class Origin(NamedTuple):
    """A scheme: its family, its id (of a shipped one) or the path of its folder, its options and digest."""

    kind: str
    name: str
    profile: str | None
    digest: str

    def again(self, codes: CodeOptions, lang: str) -> tuple[Any, ...]:
        """What a pickle holds: a function, and what it is called with."""
        return engine_again, (self, codes, lang)


def origin_of(located: Located, profile: str | None, digest: str) -> Origin:
    """The origin of a scheme that was loaded from ``located``."""
    ids = [id_ for id_, folder in located.family.folders().items() if folder == located.folder]
    return Origin(located.kind, ids[0] if ids else os.path.abspath(located.folder), profile, digest)


@lru_cache(maxsize=_KEPT)
def engine_again(origin: Origin, codes: CodeOptions, lang: str) -> Engine:
    """The engine of a scheme that another process had. Raises TableError when its tables are others here."""
    located = locate(origin.name)
    scheme: Any = located.load(origin.profile)
    if scheme.digest != origin.digest:
        raise TableError(
            zh=f"方案 {origin.name} 的表与发送方的不同（SHA-256 不符）；请在各机器上使用同一版本",
            en=f"the tables of scheme {origin.name} are not those of the process that sent it (their SHA-256 "
            "differs); use the same version on all machines",
        )
    engine = family(located.kind).engine(scheme, codes, lang)
    if isinstance(engine, CompiledEngine):
        engine.origin = origin
    return engine
