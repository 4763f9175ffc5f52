"""Supervisory indices (违规行为监管辅助目录): measures of institutions over a period of grouped cases.

They say where to look, and change no case and no money. Counts are whole numbers; rates are
decimals with six places, rounded once from the counts, halves away from zero.
"""
