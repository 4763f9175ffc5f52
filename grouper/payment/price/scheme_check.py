"""Files are priced by a policy of the scheme that grouped them: a code means something else in another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import UsageError
from grouper.base.provenance import read as read_provenance
from grouper.base.sql import parquet_schema, quote
from grouper.grouping.locate import locate

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from grouper.payment.policy.policy import Policy

COLUMN = "scheme"  # of a file whose provenance does not tell


def check_scheme(
    policy: Policy, found: Sequence[tuple[str, str, str]], differs: bool
) -> dict[str, Any] | None:
    """Hold what grouped the files (path, id, digest or "") against the policy's scheme.

    Returns what provenance says where they differ and ``differs`` allows it, else None. Raises UsageError
    that names the file and both schemes.
    """
    if not policy.scheme or not found:
        return None
    wanted = locate(policy.scheme).load()
    for path, name, digest in found:
        same = name == wanted.id
        if same and digest in ("", wanted.digest):
            continue
        if differs:
            return {"policy": wanted.id, "files": name, "sha256": digest}
        zh, en = ("的另一版本", "another state of ") if same else ("", "")
        raise UsageError(
            zh=f"{path} 由方案 {name}{zh} 分组，政策 {policy.id} 用 {wanted.id}：同一编码的病组在两者中"
            f"含义不同；请用 --scheme {policy.scheme} 重新分组，确要照此计价时用 --scheme-differs",
            en=f"{path} was grouped by {en}{name}, policy {policy.id} goes by {wanted.id}: a code of a group "
            f"means something else there. Group it again with --scheme {policy.scheme}, or go on all the "
            "same with --scheme-differs",
        )
    return None


def schemes_of(
    connection: duckdb.DuckDBPyConnection, source: str, schema: pa.Schema, files: Sequence[Path]
) -> list[tuple[str, str, str]]:
    """What the files say of their scheme: (path, id, digest), from provenance, else from their column."""
    found = []
    for file in files:
        made_by = read_provenance(parquet_schema(file).metadata, str(file)).get("scheme")
        if isinstance(made_by, dict) and made_by.get("id"):
            found.append((str(file), str(made_by["id"]), str(made_by.get("sha256") or "")))
    if not found and COLUMN in schema.names:
        own = quote(COLUMN)
        rows = connection.execute(
            f"SELECT DISTINCT CAST({own} AS VARCHAR) FROM {source} WHERE {own} IS NOT NULL"
        ).fetchall()
        found = [(COLUMN, name, "") for (name,) in sorted(rows)]
    return found


def stay_of(files: Sequence[Path]) -> str:
    """How the stay was derived when the files were grouped: "given", "nights" or "days".

    Raises UsageError for files that were grouped in different ways.
    """
    found: dict[str, str] = {}
    for file in files:
        options = read_provenance(parquet_schema(file).metadata, str(file)).get("options")
        if isinstance(options, dict) and options.get("stay"):
            found.setdefault(str(options["stay"]), str(file))
    if len(found) > 1:
        told = ", ".join(f"{path} ({stay})" for stay, path in sorted(found.items()))
        raise UsageError(
            zh=f"各文件分组时住院天数的来源不同：{told}；请用 --stay 指明",
            en=f"the files were grouped with stays from different sources: {told}; name one with --stay",
        )
    return next(iter(found), "given")
