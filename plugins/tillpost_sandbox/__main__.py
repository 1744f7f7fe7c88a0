"""`python -m tillpost_sandbox`: the sandbox without the rest of Tillpost."""

import argparse
import os
import sys
from pathlib import Path

from tillpost_sandbox.sandbox import run


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and run the sandbox until SIGTERM or SIGINT; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tillpost_sandbox", description=__doc__)
    parser.add_argument("--http", type=int, default=0, help="port of the API; 0 chooses a free one")
    parser.add_argument("--sftp", type=int, default=0, help="port of the SFTP server; 0 chooses a free one")
    parser.add_argument("--api-key", default=os.environ.get("ENGAGE_API_KEY"), help="or ENGAGE_API_KEY")
    parser.add_argument("--dir", type=Path, required=True, help="folder for state, host key and import folders")
    parser.add_argument("--import-every", type=float, default=900.0, help="seconds between receipt imports")
    parser.add_argument("--import-files-every", type=float, default=5.0, help="seconds between folder reads")
    parser.add_argument("--rate-limit", type=int, default=200, help="requests a second before 429")
    parser.add_argument("--seed-contacts", type=Path, help="JSON array or JSON lines of contacts")
    parser.add_argument("--password", help="SFTP password; generated and kept in DIR when not given")
    given = parser.parse_args(arguments)
    if not given.api_key:
        parser.error("--api-key is missing: give it, or set ENGAGE_API_KEY")
    return run(**vars(given))


if __name__ == "__main__":
    sys.exit(main())
