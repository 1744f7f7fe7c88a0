from __future__ import annotations

from pathlib import Path

import pytest

from tillpost.compose.plugins import installed_plugins, load_plugin
from tillpost.errors import ConfigurationError


def test_every_installed_plugin_is_listed_the_broken_ones_with_their_error() -> None:
    infos = {info.name: info for info in installed_plugins() if info.distribution == "trial"}
    assert infos["trial-crm"].slots == ("resolve", "map", "transport")
    assert (infos["trial-crm"].version, infos["trial-crm"].summary) == ("1.0", "A CRM")
    assert "No module named 'a_library_nobody_has'" in infos["trial-broken"].error
    assert "not a tillpost.Plugin" in infos["trial-no-plugin"].error


def test_a_plugin_that_ends_the_process_at_import_is_named_too(
    tmp_path: Path, trial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(tmp_path, monkeypatch, "exits", "trial-exits = trial_exits:plugin")
    (tmp_path / "trial_exits.py").write_text("raise SystemExit('enough\\nof this')\n")
    with pytest.raises(ConfigurationError, match=r"trial_exits: SystemExit at .*trial_exits\.py:1: enough\.") as caught:
        load_plugin("trial-exits")
    assert "Reinstall exits" in caught.value.findings[0].next_step


def test_one_name_from_two_distributions_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, monkeypatch, "rival", "trial-crm = trial_plugins:crm")
    with pytest.raises(ConfigurationError, match="installed twice, by rival and trial"):
        load_plugin("trial-crm")


def _install(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, entry: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tillpost.plugins]\n{entry}\n")
    monkeypatch.syspath_prepend(folder)
