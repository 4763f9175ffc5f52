"""The chain of DIP 3.0 before the basic packets: exclusions, and rules by step (docs/dip.md).

The files that hold them are read by grouper.grouping.dip.tables.rule_files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from grouper.base.errors import TableError
from grouper.grouping.dip.options import DipOptions
from grouper.grouping.dip.tables.packets import Packet, Row, Term

RULES, EXCLUSIONS, PRIMARY_CARE = "rules.csv", "exclusions.csv", "primary_care.csv"
EXCLUSION = "exclusion"
BEGINNING = 5  # a diagnosis of up to so many characters stands for all that begin with it
CONSERVATIVE, NOT_MAIN, IN_SCOPE = (
    "conservative",
    "not_main",
    "main_in_scope",
)  # what a list says of operations
EXCLUDES = (CONSERVATIVE, NOT_MAIN, IN_SCOPE)


@dataclass(frozen=True)
class Listed:
    """A named list: a case is in it by its main diagnosis (``main``) or a secondary one (``other``)."""

    name: str
    main: Term = ()
    other: Term = ()


@dataclass(frozen=True)
class Need:
    """What the diagnoses of a case must show.

    The main one is in ``main``, or a secondary one in ``other`` (None: that place does not count).
    ``denied``: it must not be so.
    """

    main: Term | None
    other: Term | None
    denied: bool = False


@dataclass(frozen=True)
class Rule:
    """One rule of a step. Everything that it asks must hold; what it does not name, it does not ask.

    ``dx``: beginnings, one of which the main diagnosis has. ``other_dx`` and ``any_dx``: terms that a
    secondary, or any, diagnosis must each meet. ``listed`` and ``not_listed``: lists that the case must be
    in, and must not be in. ``main_only``: the record's main operation must be one of the packet's main ones,
    and serves none of the related ones. ``treatment``: the class of the case, -1 for any; conservative as
    option ``conservative_rule`` says. ``age_days`` and ``weight`` (birth weight in grams): both ends
    included.
    """

    step: str
    packet: Packet
    main_only: bool
    dx: Term = ()
    other_dx: tuple[Term, ...] = ()
    any_dx: tuple[Term, ...] = ()
    treatment: int = -1
    age_days: tuple[int, int] | None = None
    weight: tuple[int, int] | None = None
    listed: Listed | None = None
    not_listed: Listed | None = None

    @property
    def row(self) -> Row:
        return self.packet.rows[0]

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """All that is asked of the diagnoses besides ``dx``."""
        asked = [Need(None, term) for term in self.other_dx] + [Need(term, term) for term in self.any_dx]
        lists = ((self.listed, False), (self.not_listed, True))
        asked += [Need(found.main, found.other, denied) for found, denied in lists if found]
        return tuple(asked)


@dataclass(frozen=True)
class Exclusions:
    """Codes kept out of grouping, in capitals: main diagnoses and main operations.

    ``procedures`` make a case conservative, ``not_main`` may not be the main operation, and ``in_scope``
    only with a main diagnosis that begins as listed there.
    """

    diagnoses: frozenset[str] = frozenset()
    procedures: frozenset[str] = frozenset()
    not_main: frozenset[str] = frozenset()
    in_scope: Mapping[str, Term] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.diagnoses or self.procedures or self.not_main or self.in_scope)

    def __or__(self, other: Exclusions) -> Exclusions:
        return Exclusions(
            self.diagnoses | other.diagnoses,
            self.procedures | other.procedures,
            self.not_main | other.not_main,
            {**self.in_scope, **other.in_scope},
        )

    def of_procedure(self, code: str, exact: bool) -> tuple[str, Term]:
        """What the lists say of an operation (in capitals), "" nothing, and the scope where there is one.

        Unless ``exact``, a listed code of fewer than seven characters stands for those that begin with it.
        """
        if not self:
            return "", ()
        for text in (code,) if exact else (code, *(code[:n] for n in range(6, 0, -1))):
            if text in self.procedures:
                return CONSERVATIVE, ()
            if text in self.not_main:
                return NOT_MAIN, ()
            if text in self.in_scope:
                return IN_SCOPE, self.in_scope[text]
        return "", ()


NO_EXCLUSIONS = Exclusions()


@dataclass(frozen=True)
class Chain:
    """The steps before the basic packets in order, with their rules in the order of steps and of rows.

    ``overlay``: conditions of primary care, which change no group.
    """

    steps: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    exclusions: Exclusions = NO_EXCLUSIONS
    overlay: tuple[Rule, ...] = ()

    @property
    def every(self) -> tuple[Rule, ...]:
        """The rules, and behind them the conditions of the overlay."""
        return (*self.rules, *self.overlay)

    @cached_property
    def _by_beginning(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, rule in enumerate(self.every):
            for code in rule.dx or ("",):
                found.setdefault(code, []).append(number)
        return found

    @property
    def beginnings(self) -> frozenset[str]:
        """All that rules name as main diagnosis; "" stands for rules that name none."""
        return frozenset(self._by_beginning)

    def under(self, principal: str) -> tuple[int, ...]:
        """The rules and conditions, by number in ``every``, that a main diagnosis (in capitals) can meet."""
        keys = {principal, *(principal[:n] for n in range(BEGINNING + 1))}
        return tuple(sorted({n for key in keys for n in self._by_beginning.get(key, ())}))

    def excludes_diagnosis(self, code: str) -> bool:
        """Whether the list keeps a main diagnosis (in capitals) out of grouping."""
        return stands_in(code, self.exclusions.diagnoses)


def stands_in(code: str, listed: Term | frozenset[str]) -> bool:
    """Whether a diagnosis is one of a list, by its whole code or a beginning that the list names."""
    return bool(listed) and (code in listed or any(code[:n] in listed for n in range(3, BEGINNING + 1)))


def chain_of(
    options: DipOptions,
    rules: Sequence[Rule],
    exclusions: Exclusions,
    where: str,
    overlay: Sequence[Rule] = (),
) -> Chain:
    """The chain that the option names. Raises TableError when files and option do not fit together."""
    unused = next((rule for rule in rules if rule.step not in options.chain), None)
    if unused is not None:
        raise TableError(
            zh=f"{where}：{RULES} 的规则 {unused.row.code} 属于步骤 {unused.step}，而选项 chain 没有此步骤",
            en=f"{where}: the rule {unused.row.code} of {RULES} belongs to the step {unused.step}, "
            "which option chain does not name",
        )
    if (EXCLUSION in options.chain) != bool(exclusions):
        raise TableError(
            zh=f"{where}：选项 chain 含 {EXCLUSION} 时须有 {EXCLUSIONS}，反之亦然",
            en=f"{where}: the step {EXCLUSION} of option chain and the file {EXCLUSIONS} need each other",
        )
    ordered = sorted(rules, key=lambda rule: options.chain.index(rule.step))
    return Chain(options.chain, tuple(ordered), exclusions, tuple(overlay))
