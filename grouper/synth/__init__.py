"""Invented discharges, with and without money; no patient behind any of them."""
