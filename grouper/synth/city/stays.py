"""The clinical half of a row: who, where, when and with what. Built on the parts of ``synth.rows``."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.synth import parts as synth_parts
from grouper.synth import rows as synth
from grouper.synth import tables as tab
from grouper.synth.city.costs import CostTables
from grouper.synth.city.hospitals import LIGHT, MIND, SLOT_BITS, Wards
from grouper.synth.city.model import COUNTIES, City
from grouper.synth.city.order import Kind, Order, Rows, roll
from grouper.synth.random import Draws, Stream, i32, key_of, u32
from grouper.synth.tables import Tables

LONGEST = 360  # days of a stay paid by the bed-day
LATEST_RETURN = 30  # days from discharge to readmission
_LATE = roll(10)
_HOME = roll(11)
_DAY_SURGERY = roll(12)
_COUNTY_SHARES = (30, 15, 13, 12, 10, 8, 7, 5)  # per cent of the people, the town first
ORDINARY, DAY_SURGERY, BIRTH, BED_DAYS = "21", "28", "52", "2105"
_TYPES = pa.array([ORDINARY, DAY_SURGERY, BIRTH, BED_DAYS])


@dataclass(frozen=True)
class Stays:
    """Stays as columns; dates are days since 1970 (int32), the rest uint32 but where it says otherwise."""

    principal: pa.Array
    chapter: pa.Array
    group: pa.Array
    person: dict[str, pa.Array]  # columns of synth_parts.persons
    person_class: pa.Array
    home: pa.Array  # number of a county, COUNTIES for elsewhere
    hospital: pa.Array
    admission_type: pa.Array  # position in _TYPES
    los: pa.Array
    nights: pa.Array
    way: pa.Array
    icu_hours: pa.Array  # float64
    discharge: pa.Array

    @property
    def admission(self) -> pa.Array:
        """Days of admission."""
        return pc.subtract(self.discharge, self.nights.cast(pa.int32()))

    @property
    def type_codes(self) -> pa.Array:
        """Kinds of admission as text."""
        return _TYPES.take(self.admission_type)


class Made(NamedTuple):
    """Stays with what hangs on an earlier stay of the same person."""

    stays: Stays
    who: pa.Array  # uint64: the row that the person came in with
    kind: pa.Array  # uint32, Kind
    ages: dict[str, pa.Array]


@dataclass(frozen=True)
class Maker:
    """All that is needed to make stays of one city."""

    city: City
    order: Order
    wards: Wards
    costs: CostTables
    tables: Tables
    key: int

    @classmethod
    def of(cls, city: City) -> Maker:
        """The maker of ``city``; builds the lookup tables at the first call."""
        from grouper.synth.city.costs import cost_tables
        from grouper.synth.city.hospitals import wards_of
        from grouper.synth.city.order import order_of

        key = key_of(city.seed, city.year)
        return cls(city, order_of(city), wards_of(city), cost_tables(), tab.tables(), key)

    def stays(self, rows: Rows) -> Made:
        """Stays of the rows; a return that cannot be is an ordinary stay after all."""
        shown = self._discharge(rows.visit)
        returns = pc.is_valid(rows.before)
        earlier = rows.before.filter(returns)
        before = self._first(earlier, earlier)
        gap = pc.subtract(shown.filter(returns), before.discharge)
        moved = pc.equal(rows.kind.filter(returns), u32(Kind.TRANSFER))
        good = self._can_return(before, gap, moved)
        happens = pc.replace_with_mask(returns, returns, good)
        kind = pc.if_else(pc.and_(returns, pc.invert(happens)), u32(Kind.PLAIN), rows.kind)
        who = pc.if_else(happens, rows.before, rows.visit)
        plain = self._first(who, rows.visit, pc.equal(kind, u32(Kind.TRANSFER)), shown)
        plain = _ended(plain, rows)
        stays = _returned(plain, happens, gap.filter(good), moved.filter(good))
        counted = pc.replace_with_mask(plain.admission, happens, before.admission.filter(good))
        return Made(stays, who, kind, self._ages(stays, counted))

    def _first(
        self, who: pa.Array, visit: pa.Array, moved: pa.Array | None = None, discharge: pa.Array | None = None
    ) -> Stays:
        """Stays as they are without an earlier one; ``who`` decides the person and the disease."""
        t = self.tables
        person_draws, draws = Draws.of_rows(self.key, who), Draws.of_rows(self.key, visit)
        principal = person_draws.slot(Stream.PRINCIPAL, t.principal, tab.PRINCIPAL_BITS)
        chapter = t.chapter.take(principal)
        person = synth_parts.persons(person_draws, t, principal)
        mother = pc.equal(t.ages.take(principal), u32(t.birth_profile))
        person_class = synth_parts.person_classes(person, mother)
        group = draws.slot(Stream.GROUP, t.groups, tab.GROUP_BITS, principal)
        home = self._home(person_draws)
        care = self.costs.care.take(principal)
        hospital = self._hospital(person_draws, care, home, moved)
        stay = synth_parts.stays(draws, t, principal, group, person_class, chapter)
        made = Stays(
            principal, chapter, group, person, person_class, home, hospital, _zeros(principal, pa.uint32()),
            stay["los_days"], stay["nights"], stay["discharge_way"], stay["icu_hours"],
            self._discharge(visit) if discharge is None else discharge,
        )  # fmt: skip
        return self._special(made, draws, care, mother)

    def _discharge(self, visit: pa.Array) -> pa.Array:
        """Days of discharge: the day of settlement, or up to three days before it in the same month."""
        settled = self.order.days(visit)
        late = pc.max_element_wise(
            pc.subtract(Draws.of_rows(self.key, visit).below(_LATE, 10).cast(pa.int32()), i32(6)), i32(0)
        )
        first = _month_starts(self.city).take(pc.subtract(settled, i32(self.city.first_day)))
        return pc.max_element_wise(pc.subtract(settled, late), first)

    def _home(self, draws: Draws) -> pa.Array:
        """Seven bits of a draw tell the county, the others whether it is elsewhere."""
        drawn = draws.bits(_HOME, 27)
        county = _homes().take(pc.bit_wise_and(drawn, u32(127)))
        visitor = pc.less(pc.shift_right(drawn, u32(7)), u32(round(self.city.visitors * 2**20)))
        return pc.if_else(visitor, u32(COUNTIES), county)

    def _hospital(self, draws: Draws, care: pa.Array, home: pa.Array, moved: pa.Array | None) -> pa.Array:
        """Half a turn of the slots is another hospital for whoever moves: none fills half of them."""
        slot = draws.bits(Stream.HOSPITAL, SLOT_BITS)
        if moved is not None:
            turn = pc.if_else(moved, u32(1 << (SLOT_BITS - 1)), u32(0))
            slot = pc.bit_wise_xor(slot, turn)
        table = pc.add(pc.multiply(care, u32(COUNTIES + 1)), home)
        return self.wards.slots.take(pc.add(pc.shift_left(table, u32(SLOT_BITS)), slot)).cast(pa.uint32())

    def _special(self, stays: Stays, draws: Draws, care: pa.Array, mother: pa.Array) -> Stays:
        """Long stays paid by the bed-day, and day surgery."""
        t = self.tables
        beds = pc.and_(self.wards.bed_days.take(stays.hospital), pc.greater_equal(care, u32(MIND)))
        surgery = pc.and_(
            pc.and_(pc.equal(t.surgical.take(stays.group), u32(1)), pc.equal(care, u32(LIGHT))),
            pc.and_(
                pc.and_(pc.less_equal(stays.los, u32(6)), pc.equal(stays.way, u32(1))),
                pc.and_(pc.less(draws.below(_DAY_SURGERY, 100), u32(45)), pc.invert(mother)),
            ),
        )
        surgery = pc.and_(surgery, pc.equal(stays.icu_hours, 0.0))
        long = pc.min_element_wise(pc.multiply(stays.los, u32(3)), u32(LONGEST))
        los = pc.if_else(beds, long, pc.if_else(surgery, u32(1), stays.los))
        nights = pc.if_else(
            beds, los, pc.if_else(surgery, pc.min_element_wise(stays.nights, u32(1)), stays.nights)
        )
        kind = pc.if_else(beds, u32(3), pc.if_else(mother, u32(2), pc.if_else(surgery, u32(1), u32(0))))
        return replace(stays, los=los, nights=nights, admission_type=kind)

    def _ages(self, stays: Stays, counted: pa.Array) -> dict[str, pa.Array]:
        """Birth date, age in years (int32) and days, and birth weight, at the admission of each stay.

        ``counted``: the day on which the person had the drawn age.
        """
        calendar = _calendar(self.city)
        since = stays.person["since_birthday"].cast(pa.int32())
        birthday = pc.subtract(counted, since)
        index = pc.subtract(birthday, i32(calendar.origin))
        year = pc.subtract(calendar.year.take(index), stays.person["age_years"].cast(pa.int32()))
        # as in the clinical generator, nobody is born on 29 February
        day = pc.min_element_wise(calendar.day.take(index), i32(364))
        first_year = pc.equal(stays.person["age_years"], u32(0))
        now = pc.subtract(stays.admission, i32(calendar.origin))
        early = pc.less(calendar.day.take(now), day).cast(pa.int32())
        years = pc.subtract(pc.subtract(calendar.year.take(now), year), early)
        return {
            "birth_date": pc.if_else(first_year, birthday, pc.add(calendar.starts.take(year), day)),
            "age_years": pc.if_else(first_year, i32(0), years),
            "age_days": pc.if_else(first_year, since, pa.scalar(None, pa.int32())),
            "birth_weight_g": stays.person["birth_weight_g"],
            "admission_weight_g": stays.person["admission_weight_g"],
        }

    def _can_return(self, before: Stays, gap: pa.Array, moved: pa.Array) -> pa.Array:
        """No newborns and no mothers, and there are days for a stay in between."""
        t = self.tables
        grown = pc.and_(
            pc.greater_equal(before.person["age_years"], u32(1)),
            pc.not_equal(t.ages.take(before.principal), u32(t.birth_profile)),
        )
        shortest = pc.if_else(moved, i32(1), i32(2))
        fits = pc.and_(pc.greater_equal(gap, shortest), pc.less(gap, i32(synth_parts.LONGEST_STAY)))
        return pc.and_(grown, fits)


def _ended(stays: Stays, rows: Rows) -> Stays:
    """Who comes back has not died, and who is moved was sent."""
    alive = pc.and_(rows.lives, pc.equal(stays.way, u32(5)))
    way = pc.if_else(rows.sent, u32(2), pc.if_else(alive, u32(1), stays.way))
    return replace(stays, way=way)


def _returned(stays: Stays, returns: pa.Array, gap: pa.Array, moved: pa.Array) -> Stays:
    """Stays that begin after an earlier one: on its last day, or 1 to LATEST_RETURN days later.

    ``gap`` (int32, days between the two discharges) and ``moved`` have one value for each true
    in ``returns``.
    """
    gap = gap.cast(pa.uint32())
    longest = pc.if_else(moved, gap, pc.subtract(gap, u32(1)))
    shortest = pc.subtract(pc.max_element_wise(gap, u32(LATEST_RETURN + 1)), u32(LATEST_RETURN))
    shortest = pc.if_else(moved, gap, shortest)
    los = pc.min_element_wise(pc.max_element_wise(stays.los.filter(returns), shortest), longest)
    kind = stays.admission_type.filter(returns)
    kind = pc.if_else(pc.and_(pc.equal(kind, u32(1)), pc.greater(los, u32(1))), u32(0), kind)
    days = pc.replace_with_mask(stays.los, returns, los)
    hours = pc.multiply(days.cast(pa.float64()), 24.0)
    return replace(
        stays,
        los=days,
        nights=pc.replace_with_mask(stays.nights, returns, los),
        admission_type=pc.replace_with_mask(stays.admission_type, returns, kind),
        icu_hours=pc.min_element_wise(stays.icu_hours, hours),
    )


@lru_cache(maxsize=8)
def _calendar(city: City) -> synth.Calendar:
    """Years that begin on 1 March, for all who leave hospital in the city's year after up to LONGEST days."""
    epoch = date(1970, 1, 1)
    origin = city.first_day - LONGEST - 366
    oldest = (epoch + timedelta(days=origin)).year - 121
    starts = [(date(oldest + n, 3, 1) - epoch).days for n in range(126)]
    shown = range(origin, city.first_day + city.days)
    year = [bisect_right(starts, day) - 1 for day in shown]
    days = [day - starts[n] for day, n in zip(shown, year, strict=True)]
    return synth.Calendar(
        origin, pa.array(year, pa.int32()), pa.array(days, pa.int32()), pa.array(starts, pa.int32())
    )


def _zeros(like: pa.Array, kind: pa.DataType | None = None) -> pa.Array:
    return pa.repeat(pa.scalar(0, kind or pa.uint32()), len(like))


@cache
def _homes() -> pa.Array:
    return pa.array(
        [n for n, share in enumerate(tab.allot(_COUNTY_SHARES, 128)) for _ in range(share)], pa.uint32()
    )


@lru_cache(maxsize=8)
def _month_starts(city: City) -> pa.Array:
    starts = city.month_starts()
    return pa.array([first for first, after in pairwise(starts) for _ in range(after - first)], pa.int32())
