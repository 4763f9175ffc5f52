"""The tables of a DRG scheme: read, written, compared, verified, exchanged as workbooks."""
