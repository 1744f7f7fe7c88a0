"""The command line, called in this process: where no process is the point, none is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tillpost.cli import cli

CONFIG = """\
[pipelines.shop]
adapter   = { use = "receipts" }
resolve   = [ { use = "known" }, { use = "engage" } ]
map       = { use = "engage" }
transport = { use = "engage", url = "http://127.0.0.1:9", api_key = { env = "ENGAGE_API_KEY" } }
"""


def call(shop: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(shop), *words], env={"ENGAGE_API_KEY": "k"})


def read(config: Path, *words: str) -> list[dict[str, Any]]:
    """The JSON lines of a command that only reads. A test that waits asks often, and each start costs half a second."""
    result = CliRunner().invoke(cli, ["--config", str(config), *words, "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1), result.output
    return objects(result)


def accept(config: Path, *words: str) -> None:
    """`tillpost accept` of these options and files, beside a `run` or before it."""
    done = call(config, "accept", *words)
    assert done.exit_code == 0, (done.output, done.exception)


def stands(config: Path) -> dict[str, dict[str, Any]]:
    """What `tillpost status` says, by pipeline."""
    pipelines: dict[str, dict[str, Any]] = read(config, "status")[0]["pipelines"]
    return pipelines


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]
