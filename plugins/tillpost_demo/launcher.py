"""The `tillpost` commands that demo and drill run, each a process of its own as a user would start it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tillpost_demo.child import Child, PlayFailed, tail

_LONGEST = 120.0  # seconds one command may take; a large export is read in this


class Launcher:
    """`tillpost --config CONFIG …` for one pipeline."""

    def __init__(self, config: Path, pipeline: str) -> None:
        self.config = config
        self.pipeline = pipeline

    def run(self, folder: Path) -> Child:
        """`tillpost run` in the background."""
        return Child("run", ["--config", str(self.config), "run", "--json"], folder)

    def read_ahead(self, files: Sequence[Path], title: str) -> dict[str, Any]:
        """Read files into the journal; returns the counts. Held receipts are not a failure here."""
        answer = self._ask("accept", *map(str, files), "--pipeline", self.pipeline, "--json", codes=(0, 1))
        read: dict[str, Any] = json.loads(answer)
        if not read["accepted"]:
            why = ", ".join(f"{count} {reason!r}" for reason, count in read["reasons"].items()) or "it is empty"
            hint = "; name an anonymous contact for receipts without a customer" if read["skipped"] else ""
            raise PlayFailed(f"there is no receipt to send in {title}: {why}{hint}")
        return read

    def status(self) -> dict[str, Any]:
        """The pipeline's part of `tillpost status --json`; held receipts are not a failure here."""
        pipeline: dict[str, Any] = json.loads(self._ask("status", "--json", codes=(0, 1)))["pipelines"][self.pipeline]
        return pipeline

    def receipts(self) -> list[dict[str, Any]]:
        """Every receipt of the journal."""
        return [json.loads(line) for line in self._ask("receipts", "--json").splitlines()]

    def files(self) -> list[dict[str, Any]]:
        """Every fallback file."""
        return [json.loads(line) for line in self._ask("files", "list", "--json").splitlines()]

    def _ask(self, command: str, *arguments: str, codes: Sequence[int] = (0,)) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tillpost", "--config", str(self.config), command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_LONGEST,
            check=False,
        )
        if done.returncode not in codes or (not done.stdout.strip() and command in ("accept", "status")):
            raise PlayFailed(f"`tillpost {command}` ended with code {done.returncode}:\n{tail(done.stderr)}")
        return done.stdout
