"""`python -m tillpost`."""

from tillpost.cli import main

main()
