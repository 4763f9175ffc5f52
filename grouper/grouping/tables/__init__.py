"""What the tables of all families share: texts, sheets, the manifest."""
