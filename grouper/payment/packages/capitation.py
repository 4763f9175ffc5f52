"""Capitation: a package for heads, prepaid, with the surplus kept and an overspend shared up to a limit.

package = heads × standard × factor (rounded to the fen). What the fund paid for these heads elsewhere
(referral out) is deducted: available = package - referral_out. Surplus: the institution keeps
capitation_keep of it; overspend: the fund bears capitation_share of it, as far as it is within
capitation_share_limit of the package. The shares are rounded to the fen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from grouper.base.errors import ReconciliationError
from grouper.payment.packages.sheets import read_lines
from grouper.payment.policy.sharing import fen
from grouper.payment.policy.terms import Terms

CAPITATION_TERMS = ("capitation", "capitation_keep", "capitation_share", "capitation_share_limit")
_NEEDED = ("institution", "package", "heads", "actual")


@dataclass(frozen=True)
class Package:
    """A capitation package of an institution for a period; amounts in fen.

    ``package`` is its name (a disease, outpatient care), under which the policy may set the standard (keys
    group and route); ``factor`` the risk or assessment factor; ``actual`` the fund's cost of care inside.
    """

    institution: str
    package: str
    heads: int
    actual: int
    factor: Fraction = Fraction(1)
    referral_out: int = 0
    prepaid: int = 0
    pool: str = ""
    county: str = ""


@dataclass(frozen=True)
class Capitated:
    """A package settled, in fen.

    available = package - referral_out; surplus = available - actual (negative: overspend). due = actual +
    kept, or on an overspend available + shared; returned: surplus that goes back to the fund; borne:
    overspend that the institution bears; balance = due - prepaid.
    """

    of: Package
    package: int
    available: int
    surplus: int
    kept: int
    returned: int
    shared: int
    borne: int
    due: int
    balance: int
    clauses: str = ""

    def check(self) -> None:
        """due + returned - shared = available; due + borne - kept = actual. Raises ReconciliationError."""
        fund = self.due + self.returned - self.shared == self.available
        if not fund or self.due + self.borne - self.kept != self.of.actual:
            raise ReconciliationError(
                zh=f"人头包干对不上：{self.of.institution} {self.of.package}",
                en=f"capitation does not add up: {self.of.institution} {self.of.package}",
            )


def settle_package(
    of: Package,
    standard: Fraction,
    *,
    keep: Fraction = Fraction(0),
    share: Fraction = Fraction(0),
    limit: Fraction | None = None,
    clauses: str = "",
) -> Capitated:
    """Settle a package: ``standard`` in yuan per head; ``limit`` None shares the whole overspend."""
    package = fen(of.heads * standard * of.factor * 100)
    available = package - of.referral_out
    surplus = available - of.actual
    kept = shared = 0
    if surplus > 0:
        kept = fen(surplus * keep)
        due = of.actual + kept
    else:
        over = -surplus if limit is None else min(Fraction(-surplus), limit * package)
        shared = fen(over * share)
        due = available + shared
    found = Capitated(
        of, package, available, surplus, kept, max(surplus, 0) - kept, shared, max(-surplus, 0) - shared, due,
        due - of.prepaid, clauses,
    )  # fmt: skip
    found.check()
    return found


def settle_packages(terms: Terms, packages: Iterable[Package]) -> list[Capitated]:
    """Settle packages by the policy's parameters, in the order of institution and package.

    Raises TableError for a parameter that is needed and missing.
    """
    rows = []
    for of in sorted(packages, key=lambda p: (p.institution, p.package, p.pool)):
        own = Terms(terms.values)
        keys = {"group": of.package, "route": of.package, "hospital": of.institution}
        keys |= {"pool": of.pool} if of.pool else {}
        keys |= {"county": of.county} if of.county else {}
        standard = own.need("capitation", **keys)
        keep = own.need("capitation_keep", **keys)
        share = own.otherwise("capitation_share", "0", **keys)
        limit = own.need("capitation_share_limit", **keys) if share else None
        found = settle_package(
            of, standard, keep=keep, share=share, limit=limit, clauses=own.clauses(*CAPITATION_TERMS)
        )
        terms.absorb(own)
        rows.append(found)
    return rows


def read_packages(path: str) -> list[Package]:
    """Packages from a CSV with the columns of ``Package``; factor 1 and amounts 0 (yuan) may be left out.

    Raises UsageError that names file, row and column.
    """
    lines = read_lines(path, _NEEDED, ("factor", "referral_out", "prepaid", "pool", "county"))
    return [
        Package(
            line.text("institution"),
            line.text("package"),
            line.count("heads"),
            line.fen("actual"),
            line.number("factor", "1"),
            line.fen("referral_out"),
            line.fen("prepaid"),
            line.text("pool"),
            line.text("county"),
        )
        for line in lines
    ]
