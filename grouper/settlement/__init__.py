"""A month settled, a year cleared, and what they did checked: from files to the lake."""
