"""The tables of a DIP catalogue: read, written, compared, exchanged as workbooks."""
