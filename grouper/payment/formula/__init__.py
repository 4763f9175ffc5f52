"""Formulas as trees: numbers, tests, windows, read as SQL, as fractions and as words. Know no policy."""
