"""The workbench of a hospital: one record asked about before it is submitted, and codes and groups searched."""
