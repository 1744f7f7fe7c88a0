"""The command line, called in this process on a configuration without a destination."""

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


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]
