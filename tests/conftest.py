"""Hypothesis without deadlines: machines are noisy, and no test here is about time."""

from hypothesis import settings

settings.register_profile("grouper", deadline=None, print_blob=True)
settings.load_profile("grouper")
