"""A file of a hospital's stays priced before submission: where money is lost, and what can be mended."""
