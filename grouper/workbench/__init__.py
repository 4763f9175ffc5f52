"""The workbench of a hospital: a record asked about before it is submitted, codes and groups searched."""
