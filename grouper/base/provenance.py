"""What made a file: the one form in which results say it.

Format 1 (0.1.0) says no ``format``, and its SHA-256 of policies and budgets are those of
``payment.policy.legacy_digest``; from format 2 on they are over the canonical form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from grouper.base.errors import DataError
from grouper.base.formats import FORMATS, format_of
from grouper.base.version import VERSION, commit

FORMAT = FORMATS["provenance"]
PROVENANCE_KEY = "grouper.provenance"  # of Parquet metadata


def software(version: str = VERSION) -> dict[str, str]:
    """This software, or another version of it."""
    return {"name": "grouper", "version": version}


def stamped(**told: Any) -> dict[str, Any]:
    """A provenance: software with its commit, and format, then what else is told.

    Nothing in it is of the run (times, memory): the same input gives the same bytes.
    """
    return {"software": software() | {"commit": commit()}, "format": FORMAT, **told}


def read(metadata: Mapping[bytes, bytes] | None, where: str) -> dict[str, Any]:
    """The provenance in the metadata of a Parquet file, {} where there is none.

    Raises DataError when it is of a newer format, ValueError when it is no JSON.
    """
    found: dict[str, Any] = json.loads((metadata or {}).get(PROVENANCE_KEY.encode(), b"{}"))
    format_of(found, "provenance", where, DataError)
    return found
