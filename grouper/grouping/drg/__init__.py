"""DRG: rows of conditions in their order, compiled to bits."""
