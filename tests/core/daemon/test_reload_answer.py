"""What a reload answers is read back from its JSON by `tillpost reload`, whoever wrote it."""

from __future__ import annotations

import json

import pytest

from tillpost.daemon.reload import Reloaded, sentences
from tillpost.errors import Finding


@pytest.mark.parametrize("effect", ["", "Receipts are accepted and wait."])
def test_the_sentences_are_those_of_the_findings(effect: str) -> None:
    place = {"message": "is no key.", "file": "tillpost.toml", "line": 7, "key": "pipelines.web.source"}
    refused, left = Finding(**place, consequence=effect), Finding(message="40 receipts wait.", level="trouble")  # type: ignore[arg-type]
    answer = Reloaded(rebuilt=["stores"], refused=[("web", refused)], stranded=[left]).as_json()
    assert answer["refused"][0]["effect"] == (effect or "The pipeline cannot start with this.")
    assert sentences(json.loads(json.dumps(answer))) == ["stores: rebuilt", f"refused: {refused}", str(left)]
