"""Capitation and alliances: payment beside cases."""
