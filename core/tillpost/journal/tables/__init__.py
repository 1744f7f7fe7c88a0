"""The tables: one file each, with what can be done with it."""
