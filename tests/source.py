"""What the source of the package says, read and not run: for the tests that hold its rules."""

from __future__ import annotations

import ast

DYNAMIC = "importlib.import_module(…)"  # an import whose module is not written where it is imported
_IMPORTERS = ("import_module", "__import__")
_WRITES = frozenset("wax+")


def imported_by_call(node: ast.AST) -> str | None:
    """The module that a call of ``import_module`` or ``__import__`` names; DYNAMIC for one that is made up
    as it runs; None for any other node."""
    if not isinstance(node, ast.Call):
        return None
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called not in _IMPORTERS:
        return None
    named = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "name")]
    if named and isinstance(named[0], ast.Constant) and isinstance(named[0].value, str):
        return named[0].value
    return DYNAMIC


def opens_to_write(node: ast.AST) -> bool:
    """Whether a node calls ``open``, of Python or of a path, to write; or in a mode made up as it runs."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name) and node.func.id == "open":
        modes = node.args[1:2]
    elif isinstance(node.func, ast.Attribute) and node.func.attr == "open":
        modes = node.args[:1]
        if modes and not isinstance(modes[0], ast.Constant):
            return False  # a schema, or os.open, which has its own line
    else:
        return False
    modes = [*modes, *(word.value for word in node.keywords if word.arg == "mode")]
    return any(not isinstance(m, ast.Constant) or bool(_WRITES & set(str(m.value))) for m in modes)


def aliases(tree: ast.Module) -> dict[str, str]:
    """Names that stand for modules in a module: ``import os as o`` makes o mean os."""
    return {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.asname
    }
