"""The wheel, built once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.vendors.shell import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tillpost's wheel."""
    folder = tmp_path_factory.mktemp("dist")
    words = ["pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", *words], check=True)
    [built] = folder.glob("tillpost-*.whl")
    return built
