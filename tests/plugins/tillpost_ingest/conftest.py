from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ingest import Ingest


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    """With one sender, `store12`, and its key."""
    with Ingest(tmp_path) as opened:
        yield opened
