"""What a person types in a shell, and what they begin with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def type_in(lines: str, folder: Path, expect: int = 0) -> str:
    """These lines, to the first one that fails; what was printed."""
    typed = subprocess.run(["bash", "-ec", lines], cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert typed.returncode == expect, f"{lines}\n{typed.stdout}{typed.stderr}"
    return typed.stdout + typed.stderr


def environment(folder: Path, *installed: str) -> Path:
    """A fresh environment with Tillpost as its user has it; its programs."""
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    programs = folder / "venv" / "bin"
    subprocess.run([programs / "pip", "install", "-q", "--disable-pip-version-check", *installed], check=True)
    return programs


def copy_of_the_clone(folder: Path) -> None:
    """The repository, without what git does not keep."""
    for name in ("core", "plugins", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
