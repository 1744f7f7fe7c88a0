"""`tillpost check` on broken configurations: one clear message each, with file, line and next step, exit code 78."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tillpost.cli import cli
from tillpost.errors import ConfigurationError

GOOD = """\
[tillpost]
state = "state"

[pipelines.stores]
source    = { use = "folder", path = "inbox", done = "inbox/done", settle = "2s" }
adapter   = { use = "poslog", timezone = "America/Chicago", loyalty = "externalId" }
resolve   = [ { use = "known" }, { use = "engage", keys = ["externalId", "email", "mobilePhone"], create = true } ]
map       = { use = "engage", price_basis = "line" }
transport = { use = "engage", url = "http://127.0.0.1:9", api_key = { env = "ENGAGE_API_KEY" }, timeout = "2s" }
fallback  = { use = "engage-xml", after = "15m", max_lines = 20000 }
transfer  = { use = "sftp", host = "::1", user = "till", password = { env = "SFTP_PASSWORD" }, host_key = "HOSTKEY" }
"""
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICWKN44Wd0qoYUFm2oDJvhJzKNj/72JvYhnpkL8PxNFi"
GOOD = GOOD.replace("HOSTKEY", HOST_KEY)

# What is broken: (find, put instead, the line it stands in, what the message must name).
BROKEN = {
    "unknown key": ('settle = "2s"', 'setle = "2s"', 5, "settle"),
    "missing plugin": ('use = "folder"', 'use = "foldr"', 5, "folder"),
    "bad duration": ('timeout = "2s"', 'timeout = "2 parsecs"', 9, "timeout"),
    "literal secret": ('{ env = "ENGAGE_API_KEY" }', '"s3cr3t-k3y"', 9, "api_key"),
    "wrong type": ("max_lines = 20000", 'max_lines = "many"', 10, "max_lines"),
    "unknown adapter option": ('loyalty = "externalId"', 'loyalty = "externalId", colour = "red"', 6, "colour"),
    "two pipelines, one state": ("", GOOD[GOOD.index("[pipelines") :].replace("stores]", "Stores]"), 0, "tores"),
    "bad time zone": ("America/Chicago", "America/Chicgo", 6, "Chicgo"),
    "bad host key": (HOST_KEY, "ssh-ed25519 nonsense", 11, "host_key"),
}


def check(tmp_path: Path, text: str, *flags: str) -> tuple[int, str]:
    file = tmp_path / "tillpost.toml"
    file.write_text(text)
    environment = {"ENGAGE_API_KEY": "k", "SFTP_PASSWORD": "p"}
    result = CliRunner().invoke(cli, ["--config", str(file), "check", *flags], env=environment)
    assert not isinstance(result.exception, ConfigurationError), "check reports findings, it does not raise them"
    return result.exit_code, result.output


def test_a_sound_configuration_is_fine_offline_and_leaves_no_state_behind(tmp_path: Path) -> None:
    code, output = check(tmp_path, GOOD, "--offline")
    assert (code, "fine" in output) == (0, True), output
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("name", BROKEN)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    find, put, line, names = BROKEN[name]
    text = GOOD.replace(find, put, 1) if find else GOOD.replace('state = "state"\n', 'state = "state"\n', 1) + put
    code, output = check(tmp_path, text, "--offline")
    assert code == 78, output
    assert names in output
    assert "s3cr3t" not in output
    found = re.search(r"tillpost\.toml:(\d+): ", output)
    assert found is not None, output
    if line:
        assert int(found[1]) == line, output


def test_an_unreachable_host_is_found_unless_offline(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    code, output = check(tmp_path, GOOD)
    assert code == 1, "it may come back, and `run` waits for it"
    assert "tillpost.toml:9: trouble: pipelines.stores.transport" in output


def test_json_findings_are_one_object_a_line(tmp_path: Path) -> None:
    code, output = check(tmp_path, GOOD.replace('settle = "2s"', 'setle = "2s"'), "--offline", "--json")
    assert code == 78
    assert '"line": 5' in output
    assert '"effect": "The pipeline cannot start with this."' in output


WAITS_FOR_NOBODY = {
    "no contact is created by it": (
        'keys = ["externalId", "email", "mobilePhone"]', 'keys = ["memberNumber"]', 7,
        "pipelines.stores.resolve[1].keys",
        ("has memberNumber alone", "wait for 24 h and are held", "(email, mobilePhone, externalId, social"),
    ),
    "nobody asks for the house contact": (
        "[pipelines.stores]", '[pipelines.stores]\nanonymous = "memberNumber:HOUSE"\nunknown_contact = "skip"', 5,
        "pipelines.stores.anonymous",
        ("by its memberNumber, and `keys` of `resolve` has email, externalId, mobilePhone", "are skipped",
         "Add memberNumber to `keys`"),
    ),
}  # fmt: skip
"""Settings that are valid each, with which receipts wait in silence: find, put instead, line, key, words."""


@pytest.mark.parametrize("settings", WAITS_FOR_NOBODY)
def test_settings_with_which_receipts_wait_for_nobody_are_told(tmp_path: Path, settings: str) -> None:
    find, put, line, key, words = WAITS_FOR_NOBODY[settings]
    code, told = check(tmp_path, GOOD.replace(find, put), "--offline")
    assert code == 78
    assert f"tillpost.toml:{line}: warning: {key}: " in told
    for each in words:
        assert each in told, told


@pytest.mark.parametrize(
    ("find", "put"),
    [
        ('keys = ["externalId", "email", "mobilePhone"], create = true', 'keys = ["memberNumber"], create = false'),
        ('keys = ["externalId", "email", "mobilePhone"]', 'keys = ["memberNumber", "email"]'),
        ("[pipelines.stores]", '[pipelines.stores]\nanonymous = "externalId:HOUSE"'),
        ("[pipelines.stores]", '[pipelines.stores]\nanonymous = "contactId:6b1c9c1e-6f0a-4c55-9f6e-6d6f1c0f7a10"'),
    ],
)
def test_settings_with_which_somebody_finds_or_creates_them_are_fine(tmp_path: Path, find: str, put: str) -> None:
    assert check(tmp_path, GOOD.replace(find, put), "--offline")[0] == 0
