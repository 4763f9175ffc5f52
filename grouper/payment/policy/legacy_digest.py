"""The SHA-256 of a policy as version 0.1.0 took it, which stands in ledgers and files of format 1.

It went over the bytes of the files and a Python ``repr`` of the parameters. The names of the fields and of
their classes stand here as texts, so that they can be renamed in the code. Frozen: never change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from grouper.base.digests import sha256_of
from grouper.payment.policy.parameters import Band, Dated, Parameter, Segment
from grouper.payment.policy.policy import Policy

CANONICAL = 2  # the first format of ledgers and provenance whose digests are over the canonical form


def digest_in(policy: Policy, format_: int) -> str:
    """The digest of a policy as ledgers and provenance of a format have it."""
    return policy.digest if format_ >= CANONICAL else legacy_digest(policy)


def legacy_digest(policy: Policy) -> str:
    """The digest of format 1."""
    tables = [table.path for table in (policy.weights, policy.means) if table]
    content = b"".join(path.read_bytes() for path in [*policy.files, *tables])
    pairs = [f"({name!r}, {_parameter(p)})" for name, p in sorted(policy.parameters.items())]
    return sha256_of(content + f"[{', '.join(pairs)}]".encode())


def _parameter(parameter: Parameter) -> str:
    values = _tuple([_dated(dated) for dated in parameter.values])
    by = _text(parameter.by)
    return f"Parameter(name={parameter.name!r}, by={by}, values={values})"


def _dated(dated: Dated) -> str:
    return (
        f"Dated(start={_text(dated.start)}, end={_text(dated.end)}, value={_text(dated.value)}, "
        f"source={dated.source!r}, article={dated.article!r}, verified={dated.verified!r})"
    )


def _text(value: Any) -> str:
    if isinstance(value, date):
        return f"datetime.date({value.year}, {value.month}, {value.day})"
    if isinstance(value, Band):
        return f"Band(up_to={_text(value.up_to)}, value={_text(value.value)})"
    if isinstance(value, Segment):
        told = f"start={_text(value.start)}, base={_text(value.base)}, slope={_text(value.slope)}"
        return f"Segment({told})"
    if isinstance(value, tuple):
        return _tuple([_text(item) for item in value])
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_text(item)}' for key, item in value.items())}}}"
    return repr(value)  # texts, whole numbers, truth values, Decimal('0.85'), None


def _tuple(items: list[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
