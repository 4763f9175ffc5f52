"""What a reform would do: one input or lake under two schemes and two policies (docs/compare.md)."""
