"""What history says: relative weights of DRGs and DIP catalogues from years of discharges with costs.

Sums are exact integers (fen and fen²); ratios are decimals, rounded once where they are written.
"""
