"""docs/recipes/custom-fields.md, as it stands there: Engage has the fields of the plugin beside those of the till."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.support.recipe import Recipe, saved
from tillpost_sandbox import Sandbox


def test_custom_fields(tmp_path: Path) -> None:
    """What pip would install is put on the path: the module, and the entry points of its pyproject.toml."""
    channel = tmp_path / "channel"
    with Sandbox(dir=tmp_path / "sandbox", api_key="test") as sandbox:
        here = {"https://TENANT.voyado.com": sandbox.url}
        keys = {"ENGAGE_API_KEY": "test", "PYTHONPATH": str(channel)}
        with Recipe("custom-fields.md", tmp_path, here, keys) as recipe:
            assert recipe.block("pip install") == "pip install ./channel\n"
            project = tomllib.loads((channel / "pyproject.toml").read_text())["project"]
            info = channel / "tillpost_channel-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
            points = project["entry-points"]["tillpost.plugins"].items()
            (info / "entry_points.txt").write_text("[tillpost.plugins]\n" + "".join(f"{k} = {v}\n" for k, v in points))
            recipe.type("mkdir -p inbox")
        fields = {
            receipt["receiptNumber"]: {each["name"]: each["value"] for each in receipt["body"]["extraData"]}
            for receipt in saved(sandbox)
        }
    assert fields == {"1001": {"channel": "store", "till": "3"}, "W-7": {"gift": "yes", "channel": "web"}}
