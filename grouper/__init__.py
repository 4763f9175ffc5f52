"""DRG and DIP grouper and payment calculator for Chinese medical insurance.

    import grouper
    drg = grouper.load_scheme("chs-drg-2.0")
    grouped = drg.group(frame)          # any dataframe; the same kind comes back
    print(drg.explain(record).text())   # why a record is where it is
    grouper.open_lake("LAKE").sql("SELECT * FROM measures(hospital_code)")

The names below load on first use, so ``import grouper`` itself costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grouper.base.lazy import lazy
from grouper.base.version import VERSION as __version__

if TYPE_CHECKING:
    from grouper.base.errors import DataError, GrouperError, ReconciliationError, TableError, UsageError
    from grouper.grouping.api import Grouper, Options, load_scheme
    from grouper.grouping.files import Summary, group_files
    from grouper.payment.frames import price
    from grouper.research.open import OpenLake, open_lake
    from grouper.workbench.answer import CaseAnswer
    from grouper.workbench.case import case
    from grouper.workbench.search import leads, search

_HOME = {
    "Grouper": "grouping.api",
    "Options": "grouping.api",
    "load_scheme": "grouping.api",
    "group_files": "grouping.files",
    "Summary": "grouping.files",
    "CaseAnswer": "workbench.answer",
    "case": "workbench.case",
    "OpenLake": "research.open",
    "open_lake": "research.open",
    "leads": "workbench.search",
    "price": "payment.frames",
    "search": "workbench.search",
    "GrouperError": "base.errors",
    "UsageError": "base.errors",
    "DataError": "base.errors",
    "TableError": "base.errors",
    "ReconciliationError": "base.errors",
}
__all__ = [
    "CaseAnswer",
    "DataError",
    "Grouper",
    "GrouperError",
    "OpenLake",
    "Options",
    "ReconciliationError",
    "Summary",
    "TableError",
    "UsageError",
    "__version__",
    "case",
    "group_files",
    "leads",
    "load_scheme",
    "open_lake",
    "price",
    "search",
]

_get, __dir__ = lazy(__name__, _HOME)


def __getattr__(name: str) -> Any:
    try:
        return _get(name)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("grouper._fast"):
            raise
        raise ImportError(
            "the kernel is not compiled here: Python found the source tree before the installed package. "
            "Run from another folder, or compile in place with `python setup.py build_ext --inplace`. "
            "此处没有编译好的内核：请在其他目录运行，或执行 python setup.py build_ext --inplace"
        ) from error
