"""The formats of a lake: which columns of the ledger the hash of a run is over, for good.

1  version 0.1.0; ``runs`` has no column ``format``; digests of policies are ``payment.policy.legacy_digest``
2  ``runs.format``; digests of policies are over their canonical form
3  ``outputs`` has the reports too (table_name "report"), and every run its record in ``chain/``; steps after
   a settlement are runs of other kinds; ``adjustments.document``
4  ``records`` has what schemes read and did not need to be priced: sex, age in days, weights, hours of
   intensive care; ADRG, complication with its code, warnings. People treated elsewhere and others treated
   here: ``cases.offsite`` and the columns of ``hospitals`` and ``pools`` that tell of them; a partial
   clearing has the budget of its months

A new column of the ledger, or of a table of the lake, is a new format: add its columns to HASHED, leave the
older ones as they are, and raise ``grouper.base.formats.FORMATS["lake"]``.
"""

from __future__ import annotations

from grouper.base.formats import FORMATS

FORMAT = FORMATS["lake"]
REPORT = "report"  # outputs.table_name of what is no table
CHAINED = 3  # the first format whose runs have a record in the chain, and digests of their reports
_INPUTS = ("role", "path", "bytes", "sha256")
_OUTPUTS = ("table_name", "path", "rows", "bytes", "sha256")
_PARAMETERS = ("name", "value", "valid_from", "valid_to", "source", "article", "verified")
_COUNTS = ("status", "reason", "rows", "cost_fen")
_AMOUNTS = ("hospital_code", "pool", "name", "fen")
_RUNS_1 = (
    "run", "kind", "area", "period", "started_by", "note", "as_of", "software", "scheme_id", "scheme_sha256",
    "policy_id", "policy_sha256", "options_json", "voids", "rows_in", "cases", "rejected", "netted",
    "adjusted", "cost_in_fen", "cases_cost_fen", "fund_due_fen", "adjustments_fen",
)  # fmt: skip
_ROWS = {
    "inputs": _INPUTS, "outputs": _OUTPUTS, "parameters": _PARAMETERS, "counts": _COUNTS, "amounts": _AMOUNTS,
}  # fmt: skip

# Format -> table -> what of its rows is hashed; that of the run they belong to stands in ``runs`` only.
HASHED: dict[int, dict[str, tuple[str, ...]]] = {
    1: {"runs": _RUNS_1, **_ROWS},
    2: {"runs": (*_RUNS_1, "format"), **_ROWS},
    3: {"runs": (*_RUNS_1, "format"), **_ROWS},
    4: {"runs": (*_RUNS_1, "format"), **_ROWS},
}
