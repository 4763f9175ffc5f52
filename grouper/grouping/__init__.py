"""From a canonical record to its group: the families of schemes, their engines, whole files."""
