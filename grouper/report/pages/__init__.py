"""The pages of the report, a module a section."""
