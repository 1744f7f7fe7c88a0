"""`tillpost sandbox`: an Engage to try things on."""

from __future__ import annotations

import sys
from errno import EADDRINUSE
from pathlib import Path
from typing import Any

import click

from tillpost.cli.tool import tool
from tillpost.errors import UsageError, system_says

_PORT = click.IntRange(0, 65535)


@click.command("sandbox")
@click.option("--http", type=_PORT, default=8080, show_default=True, help="Port of the API; 0 takes a free one.")
@click.option(
    "--sftp", type=_PORT, default=2222, show_default=True, help="Port of the SFTP server; 0 takes a free one."
)
@click.option("--api-key", required=True, envvar="ENGAGE_API_KEY", help="The key clients must send.")
@click.option("--dir", type=click.Path(path_type=Path), required=True, help="Where it keeps what it holds.")
@click.option("--import-every", default=900.0, show_default=True, help="Seconds between imports of received receipts.")
@click.option("--import-files-every", default=5.0, show_default=True, help="Seconds between checks for files.")
@click.option("--rate-limit", default=200, show_default=True, help="Requests a second above which it answers 429.")
@click.option("--seed-contacts", type=click.Path(exists=True, path_type=Path), help="Contacts it knows at the start.")
@click.option("--password", envvar="SFTP_PASSWORD", help="The SFTP password; generated when omitted.")
def command(**options: Any) -> None:
    """Run an Engage of our own: HTTP API and SFTP import folder, with faults on demand.

    It prints one JSON line when it is ready and ends with SIGTERM.

    \b
    Example:
      tillpost sandbox --http 8080 --sftp 2222 --api-key try --dir sandbox
    """
    try:
        sys.exit(tool("sandbox")(**options))
    except OSError as error:
        if error.errno != EADDRINUSE:
            raise
        message = f"{system_says(error)}; end the program that listens there, or name another port, 0 for a free one"
        raise UsageError(message) from None
