"""The version of this software, as results and ledgers name it."""

VERSION = "0.2.0"
