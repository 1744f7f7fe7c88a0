"""A page of docs/recipes, run as it stands: its files are written, its commands typed into a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tillpost_sandbox import Sandbox

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"


class Recipe:
    """A page in a folder of its own.

    replaced: what stands in the page for a reader's own servers → what it is in the test. environment: more variables.
    """

    def __init__(self, page: str, folder: Path, replaced: Mapping[str, str], environment: Mapping[str, str]) -> None:
        text = (RECIPES / page).read_text(encoding="utf-8")
        for written, here in replaced.items():
            assert written in text, f"{page} has no {written}"
            text = text.replace(written, here)
        self.folder = folder
        self.environment = {**os.environ, **environment}
        self.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.environment['PATH']}"
        for name, content in re.findall(r"^`([\w./-]+)`\n\n```(?:toml|json|python)\n(.*?)^```$", text, re.M | re.S):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        self.commands: list[str] = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
        self._typed: set[str] = set()
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        left = [command for command in self.commands if command not in self._typed]
        assert kind is not None or not left, f"the page has commands that were not typed: {left}"

    def block(self, beginning: str) -> str:
        """The block of commands that begins so."""
        (found,) = [each for each in self.commands if each.startswith(beginning)]
        self._typed.add(found)
        return found

    def type(self, beginning: str, fine: int = 0) -> str:
        """Run the block of commands that begins so; what it prints."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.block(beginning)],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == fine, f"{beginning}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, beginning: str) -> subprocess.Popen[bytes]:
        """Run the block of one command that begins so, until the end of the test; its output goes to `log`."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self.block(beginning)}"],
                cwd=self.folder, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        self._started.append(process)
        return process


def saved(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The receipts the sandbox has."""
    with urllib.request.urlopen(f"{sandbox.control_url}/_sandbox/receipts", timeout=30) as answer:
        there = json.load(answer)
    found: list[dict[str, Any]] = there["receipts"] if isinstance(there, dict) else there
    return found
