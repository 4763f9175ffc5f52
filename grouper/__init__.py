"""DRG and DIP grouper and payment calculator for Chinese medical insurance.

    import grouper
    drg = grouper.load_scheme("chs-drg-2.0")
    grouped = drg.group(frame)          # any dataframe; the same kind comes back
    print(drg.explain(record).text())   # why a record is where it is

The names below load on first use, so ``import grouper`` itself costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from grouper.base.errors import DataError, GrouperError, ReconciliationError, TableError, UsageError
    from grouper.grouping.api import Grouper, Options, load_scheme
    from grouper.grouping.files import Summary, group_files

_HOME = {
    "Grouper": "grouper.grouping.api",
    "Options": "grouper.grouping.api",
    "load_scheme": "grouper.grouping.api",
    "group_files": "grouper.grouping.files",
    "Summary": "grouper.grouping.files",
    "GrouperError": "grouper.base.errors",
    "UsageError": "grouper.base.errors",
    "DataError": "grouper.base.errors",
    "TableError": "grouper.base.errors",
    "ReconciliationError": "grouper.base.errors",
}
__all__ = [
    "DataError",
    "Grouper",
    "GrouperError",
    "Options",
    "ReconciliationError",
    "Summary",
    "TableError",
    "UsageError",
    "__version__",
    "group_files",
    "load_scheme",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("grouper._fast"):
            raise
        raise ImportError(
            "the kernel is not compiled here: Python found the source tree before the installed package. "
            "Run from another folder, or compile in place with `python setup.py build_ext --inplace`. "
            "此处没有编译好的内核：请在其他目录运行，或执行 python setup.py build_ext --inplace"
        ) from error
