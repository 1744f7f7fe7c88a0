"""The SQLite engine: the file, its schema, its locks, and what belongs to one machine."""
