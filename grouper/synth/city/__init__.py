"""A synthetic city: discharges with money, in settlement order. No patient stands behind a row.

Row i of the year is a function of the city's options and i alone, so months,
batches and processes all see the same rows. ``docs/synth.md`` says what is modelled.
"""

from grouper.synth.city.model import City
from grouper.synth.city.rows import SCHEMA, city_batches
from grouper.synth.city.write import expected_budget, write_city

__all__ = ["SCHEMA", "City", "city_batches", "expected_budget", "write_city"]
