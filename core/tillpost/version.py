"""The version, as the package is built with and `--version` shows: reading it from the installed metadata costs more
than all else that the launcher does."""

__version__ = "0.1.0"
