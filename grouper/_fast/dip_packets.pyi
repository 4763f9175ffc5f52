"""Types of the compiled module; see dip_packets.pyx for what packets ask."""

from grouper._fast.dip_tables import DipTables

class DipPackets(DipTables): ...
