"""The steps from a grouped case to its price."""
