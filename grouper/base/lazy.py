"""Names of a package that load on first use, so that importing it costs next to nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of ``package``. ``homes``: public name -> module, relative to it.

    ``dir`` (completion, ``help``) shows the public names, and the modules that are loaded, but not what the
    package itself imports.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    def names() -> list[str]:
        own = {n for n, value in vars(sys.modules[package]).items() if _shows(n, value)}
        return sorted(own | set(homes))

    return get, names


def _shows(name: str, value: Any) -> bool:
    """Dunder names, and modules of the package that are loaded."""
    return (name.startswith("__") and name.endswith("__")) or (
        isinstance(value, ModuleType) and not name.startswith("_")
    )
