"""`tillpost bundle`: a zip file for support, with pseudonyms."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tillpost.cli.output import json_option
from tillpost.clock import SystemClock
from tillpost.compose.config import examine
from tillpost.compose.pipeline import check_pipelines
from tillpost.errors import UsageError
from tillpost.support import bundle
from tillpost.terminal import answer, counted


@click.command("bundle")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; default: named after the time.")
@click.option("--last", default=1000, show_default=True, type=click.IntRange(1), help="How many receipts a pipeline.")
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The end of this log as well; may be repeated.",
)
@json_option
@click.pass_obj
def command(file: Any, out: Path | None, last: int, logs: tuple[Path, ...], as_json: bool) -> None:
    """Write a zip file for support: versions, settings, findings, status, recent receipts and events.

    Whatever names a person, a store or a receipt is a pseudonym; no secret and no body is in it. Amounts are.

    \b
    Examples:
      tillpost bundle
      tillpost bundle --out case-17.zip --last 5000
    """
    now = SystemClock().time()
    out = out or Path(f"tillpost-bundle-{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}.zip")
    if out.exists():
        raise UsageError(f"{out} exists; name another file with --out")
    if missing := [str(path) for path in logs if not path.is_file()]:
        raise UsageError(f"no such log: {', '.join(missing)}")
    config, findings = examine(file)
    if config is not None:
        findings += check_pipelines(config)
    written = bundle.write(out, config, findings, last=last, now=now, logs=logs)
    size = out.stat().st_size
    text = f"{out}: {size} bytes, {counted(len(written), 'file')}. Look into it before you send it."
    answer(as_json, {"file": str(out), "bytes": size, "contents": written}, text)
