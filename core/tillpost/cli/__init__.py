"""The launcher."""


def main() -> None:
    """Entry point."""
