"""How many decimals, and how large, the numbers of a priced case may be."""

from __future__ import annotations

SCORE_DIGITS = 6


BASE_DIGITS = 8


RATIO_DIGITS = 6


COEFFICIENT_DIGITS = 8


DIFFERENCE_DIGITS = 10  # of a hospital's coefficient in a group, as tables give it


MOST_FACTOR = 10**4  # whole part of weights and coefficients


MOST_YUAN = 10**8  # whole part of an amount of one case
