"""Whether a policy is whole, and its formulas rise where they should."""
