"""A source of another hand, that reads the pages of an API: it gives its place with each, and reads on from there."""

from __future__ import annotations

SOURCE = """
import json
from pathlib import Path

import attrs
import tillpost
from tillpost.model import Document


@attrs.frozen
class Settings:
    path: Path


@attrs.frozen
class Pages:
    settings: Settings
    context: tillpost.Context

    @tillpost.hookimpl
    def collect_documents(self, accept, stopping):
        count = 0
        while not stopping.is_set():
            page = int(self.context.cursor() or 0) + 1
            path = self.settings.path / f"{page}.jsonl"
            if not path.exists():
                break
            accept(Document.from_bytes(path.name, path.read_bytes()), cursor=str(page))
            count += 1
        return count


plugin = tillpost.simple("pages of an API", "source", Settings, Pages)
"""
