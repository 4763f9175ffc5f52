"""Policies as dated and cited data, and the words for what they say."""
