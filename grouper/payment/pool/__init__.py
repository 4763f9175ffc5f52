"""Budgets, point values and clearing: from prices to what is due."""
