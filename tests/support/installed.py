"""A plugin installed in an environment: a distribution in a folder that is put on PYTHONPATH."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def installed(folder: Path, environment: Mapping[str, str], **modules: str) -> dict[str, str]:
    """Write modules, each with a `plugin` that is found by the module's name; the environment that has them."""
    info = folder / "faulty-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    points = "".join(f"{name} = {name}:plugin\n" for name in modules)
    (info / "entry_points.txt").write_text(f"[tillpost.plugins]\n{points}")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    path = os.pathsep.join(filter(None, (str(folder), environment.get("PYTHONPATH", ""))))
    return {**environment, "PYTHONPATH": path}
