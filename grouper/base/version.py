"""The version of this software, as results and ledgers name it."""

VERSION = "0.1.0"
