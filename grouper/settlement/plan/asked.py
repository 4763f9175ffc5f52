"""What a job says in the ledger (``options_json``): all that makes the result, for a replay to read back.

The names there are those of a format, whatever the fields of the job are called today.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from grouper.base.errors import DataError
from grouper.lake.formats import FORMAT


@dataclass(frozen=True)
class Asked:
    """A job. ``NAMES``: format to name in the ledger to field; ``DEFAULTS``: format to field to the value
    that does what its versions did, for fields that came later and whose own default does something else.
    """

    NAMES: ClassVar[Mapping[int, Mapping[str, str]]] = {}
    DEFAULTS: ClassVar[Mapping[int, Mapping[str, Any]]] = {}

    def as_json(self) -> str:
        """The text for the ledger, in today's format."""
        own = {name: getattr(self, field) for name, field in self.NAMES[FORMAT].items()}
        return json.dumps(own, ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, format_: int = FORMAT) -> Self:
        """The job of a run of ``format_``. Raises DataError for a name that the format has not."""
        names = cls.NAMES[format_]
        given: dict[str, Any] = dict(cls.DEFAULTS.get(format_, {}))
        for name, value in json.loads(text).items():
            if name not in names:
                raise DataError(
                    zh=f"账本的 options_json 有格式 {format_} 没有的 {name}；请用写入该运行的 grouper 版本",
                    en=f"options_json of the ledger has {name}, which format {format_} has not; use the "
                    "version of grouper that wrote the run",
                )
            given[names[name]] = tuple(value) if isinstance(value, list) else value
        return cls(**given)


def same(*names: str) -> dict[str, str]:
    """Names in the ledger that are those of the fields."""
    return {name: name for name in names}
