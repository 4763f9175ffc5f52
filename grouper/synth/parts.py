"""The parts of a synthetic discharge that do not depend on the calendar: person, stay, department, codes.

Each function takes the random numbers and the columns of a batch and gives columns of as many rows
(``uint32`` unless it says otherwise); ids are those of :class:`grouper.synth.tables.Tables`.
``grouper.synth.rows`` and ``grouper.synth.city`` put rows together of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from grouper.synth import tables as tab
from grouper.synth.profiles import ADULT_AGE, NEWBORN_DAYS, OLD_AGE
from grouper.synth.random import Draws, Stream, counting, u32
from grouper.synth.tables import Tables

LONGEST_STAY = 180
COMMON_OTHERS = 60  # per cent of other diagnoses that are common ones; the rest is of the principal's chapter


def persons(draws: Draws, t: Tables, principal: pa.Array) -> dict[str, pa.Array]:
    """Sex (1, 2), age in years, days since the last birthday, grams at birth of newborns (others null)."""
    woman = pc.less(draws.below(Stream.SEX, 100), t.female.take(principal))
    profile = t.ages.take(principal)
    years = draws.slot(Stream.AGE, t.age_slots, tab.AGE_BITS, profile)
    since_birthday = pc.if_else(
        pc.equal(profile, u32(0)),
        draws.slot(Stream.NEWBORN, t.newborn_days, tab.SKEW_BITS),
        draws.below(Stream.BIRTHDAY, 365),
    )
    newborn = pc.and_(pc.equal(years, u32(0)), pc.less_equal(since_birthday, u32(NEWBORN_DAYS)))
    # two uniform numbers make the middle likelier; in steps of 10 g, as the settlement list asks
    bell = pc.add(draws.bits(Stream.WEIGHT, 10), draws.bits(Stream.WEIGHT_AGAIN, 10))
    extra = pc.shift_right(pc.multiply(t.weight_span.take(principal), bell), u32(11))
    weight = pc.multiply(pc.divide(pc.add(t.weight_low.take(principal), extra), u32(10)), u32(10))
    return {
        "sex": pc.if_else(woman, u32(2), u32(1)),
        "age_years": years,
        "since_birthday": since_birthday,
        "birth_weight_g": pc.if_else(newborn, weight, pa.scalar(None, pa.uint32())),
    }


def person_classes(person: dict[str, pa.Array], mother: pa.Array) -> pa.Array:
    """The class of each person, NEWBORN to MOTHER of ``synth_tables``; ``mother`` says who gives birth."""
    years, sex = person["age_years"], person["sex"]
    first = pc.if_else(pc.greater_equal(years, u32(OLD_AGE)), u32(tab.OLD_MAN), u32(tab.MAN))
    grown = pc.subtract(pc.add(first, sex), u32(1))
    baby = pc.if_else(pc.is_valid(person["birth_weight_g"]), u32(tab.NEWBORN), u32(tab.INFANT))
    young = pc.if_else(pc.equal(years, u32(0)), baby, u32(tab.CHILD))
    anybody = pc.if_else(pc.less(years, u32(ADULT_AGE)), young, grown)
    return pc.if_else(mother, u32(tab.MOTHER), anybody)


def stays(
    draws: Draws, t: Tables, principal: pa.Array, group: pa.Array, person: pa.Array, chapter: pa.Array
) -> dict[str, pa.Array]:
    """Stay in days (1 to 180), nights (0 for some of one day), way of discharge, ICU hours (float64)."""
    factor = draws.slot(Stream.STAY, t.skew, tab.SKEW_BITS)
    days = pc.shift_right(pc.multiply(t.stay.take(principal), factor), u32(8))
    days = pc.add(days, pc.shift_left(t.surgical.take(group), u32(1)))
    days = pc.min_element_wise(pc.max_element_wise(days, u32(1)), u32(LONGEST_STAY))
    same_day = pc.and_(pc.equal(days, u32(1)), pc.equal(draws.bits(Stream.SAME_DAY, 1), u32(1)))
    icu_class = t.icu_class.take(pc.add(pc.multiply(person, u32(tab.CHAPTERS)), chapter))
    half_hours = draws.slot(Stream.ICU, t.icu_half_hours, tab.SKEW_BITS, icu_class)
    half_hours = pc.min_element_wise(half_hours, pc.multiply(days, u32(48)))
    return {
        "los_days": days,
        "nights": pc.if_else(same_day, u32(0), days),
        "discharge_way": draws.slot(Stream.WAY, t.discharge_ways, tab.SKEW_BITS, person),
        "icu_hours": pc.divide(half_hours.cast(pa.float64()), 2.0),
    }


def departments(
    t: Tables, principal: pa.Array, surgical: pa.Array, years: pa.Array, person: pa.Array
) -> pa.Array:
    """Codes (text) by the diagnosis, medical or surgical; children in paediatrics, newborns as it says."""
    usual = t.department.take(pc.add(pc.shift_left(principal, u32(1)), surgical))
    child = pc.and_(pc.less(years, u32(ADULT_AGE)), pc.not_equal(person, u32(tab.NEWBORN)))
    return t.departments.take(pc.if_else(child, surgical, usual))


# --- lists of codes ----------------------------------------------------------


@dataclass(frozen=True)
class Lists:
    """List elements of all rows: ``offsets`` (int32, rows + 1), and the row and id of each element."""

    offsets: pa.Array
    parents: pa.Array
    ids: pa.Array


def _lists(draws: Draws, counts: pa.Array, choose: Callable[[pa.Array, pa.Array, Draws], pa.Array]) -> Lists:
    """Lists of up to ``counts`` ids; repeats within a row and ids 0 are left out.

    ``choose(parents, slots, draws)`` gives the id of each element: the row
    that it belongs to, its place in the row, and its random numbers.
    """
    offsets = _offsets(counts)
    total = offsets[-1].as_py()
    parents = pc.list_parent_indices(pa.ListArray.from_arrays(offsets, pa.nulls(total)))
    slots = pc.subtract(counting(0, total).cast(pa.int64()), offsets.take(parents).cast(pa.int64()))
    ids = choose(parents, slots.cast(pa.uint32()), draws.of_elements(parents, slots))
    keep = pc.and_(_first_of_row(parents, ids), pc.greater(ids, u32(0)))
    kept_before = _offsets(keep)
    return Lists(kept_before.take(offsets), parents.filter(keep), ids.filter(keep))


def _offsets(counts: pa.Array) -> pa.Array:
    return pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(counts.cast(pa.int32()))])


def _first_of_row(parents: pa.Array, ids: pa.Array) -> pa.Array:
    """True for each element whose id has not come before in its row."""
    if not len(ids):
        return pa.array([], pa.bool_())
    keys = pc.add(pc.shift_left(parents, 16), ids.cast(pa.int64()))
    # dictionary indices number the keys in order of appearance, so a new key is a new maximum
    numbers = keys.dictionary_encode().indices
    before = pc.cumulative_max(numbers)
    return pa.concat_arrays([pa.array([True]), pc.greater(numbers[1:], before[:-1])])


def diagnoses(draws: Draws, t: Tables, principal: pa.Array, person: pa.Array, chapter: pa.Array) -> Lists:
    """The principal diagnosis first, then others by class of person, many of the principal's chapter."""
    others = draws.slot(Stream.OTHER_COUNT, t.other_counts, tab.SKEW_BITS, person)
    by_chapter = pc.add(pc.add(pc.multiply(person, u32(tab.CHAPTERS)), chapter), u32(tab.CLASSES))

    def choose(parents: pa.Array, slots: pa.Array, element: Draws) -> pa.Array:
        common = pc.less(element.below(Stream.OTHER_SOURCE, 100), u32(COMMON_OTHERS))
        table = pc.if_else(common, person.take(parents), by_chapter.take(parents))
        other = element.slot(Stream.OTHER, t.others, tab.OTHER_BITS, table)
        return pc.if_else(pc.equal(slots, u32(0)), principal.take(parents), other)

    return _lists(draws, pc.add(others, u32(1)), choose)


def procedures(draws: Draws, t: Tables, group: pa.Array, sex: pa.Array, surgical: pa.Array) -> Lists:
    """Operations by group and sex, the main one first; none in a share of medical cases."""
    has = pc.less(draws.bits(Stream.HAS_PROCEDURE, 10), t.with_procedure.take(group))
    counts = draws.slot(Stream.PROCEDURE_COUNT, t.procedure_counts, tab.SKEW_BITS, surgical)
    table = pc.add(pc.shift_left(group, u32(1)), pc.subtract(sex, u32(1)))

    def choose(parents: pa.Array, slots: pa.Array, element: Draws) -> pa.Array:
        main = table.take(parents)
        number = pc.if_else(pc.equal(slots, u32(0)), main, pc.add(main, u32(t.procedure_tables)))
        return element.slot(Stream.PROCEDURE, t.procedures, tab.PROCEDURE_BITS, number)

    return _lists(draws, pc.if_else(has, counts, u32(0)), choose)
