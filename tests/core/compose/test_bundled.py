"""The example of docs/config.md with the plugins that come along, and ten mistakes in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tillpost.compose.config import examine
from tillpost.compose.pipeline import check_pipelines
from tillpost.errors import Finding

DOCS = Path(__file__).parents[3] / "docs" / "config.md"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ENGAGE_API_KEY", "k")
    monkeypatch.setenv("SFTP_PASSWORD", "p")
    found = re.search(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    assert found is not None
    key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return found[1].replace("ssh-ed25519 AAAA…", key)


def _check(folder: Path, text: str) -> list[Finding]:
    file = folder / "tillpost.toml"
    file.write_text(text, encoding="utf-8")
    config, findings = examine(file)
    return findings + (check_pipelines(config) if config else [])


def test_the_documented_example_has_nothing_wrong(tmp_path: Path, example: str) -> None:
    assert _check(tmp_path, example) == []
    assert [path.name for path in tmp_path.iterdir()] == ["tillpost.toml"]  # to check writes nothing


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "level"),
    [
        ("price_basis", "price_bassis", 8, "map.price_bassis", "error"),
        ('"poslog"', '"poslogg"', 6, "adapter.use", "error"),
        ('"2s"', '"2 s"', 5, "source.settle", "error"),
        ('{ env = "ENGAGE_API_KEY" }', '"literal"', 9, "transport.api_key", "warning"),
        ("rate = 50", 'rate = "50"', 9, "transport.rate", "error"),
        ("loyalty", "loyality", 6, "adapter.loyality", "error"),
        ("America/Chicago", "America/Chicgo", 6, "adapter.timezone", "error"),
        ('host_key = "', 'host_key = "x', 11, "transfer.host_key", "error"),
        ('"externalId", "email"', '"externalID", "email"', 7, "resolve[1].keys[0]", "error"),
        ('state = "state"', 'state = "tillpost.toml"', 2, "tillpost.state", "error"),
    ],
)
def test_one_mistake_is_one_message_with_its_line(
    tmp_path: Path, example: str, old: str, new: str, line: int, key: str, level: str
) -> None:
    (finding,) = _check(tmp_path, example.replace(old, new))
    assert finding.line == line
    assert finding.key.endswith(key)
    assert finding.level == level
    assert "literal" not in str(finding)


def _fetching(example: str, host: str = "127.0.0.1", poll: str = "") -> str:
    """The example with a source that fetches from its transfer's server."""
    key = re.search(r'host_key = "([^"]*)"', example)
    assert key is not None
    source = f'use = "sftp", host = "{host}", user = "till", path = "/out", host_key = "{key[1]}", key = "k"{poll}'
    return re.sub(r"^source .*$", f"source = {{ {source} }}", example, flags=re.M)


def test_a_source_that_asks_a_server_asks_each_minute_where_the_file_says_nothing(tmp_path: Path, example: str) -> None:
    for poll, seconds in (("", 60), (', poll = "5s"', 5)):
        assert not [each for each in _check(tmp_path, _fetching(example, poll=poll)) if each.level == "error"]
        config, _ = examine(tmp_path / "tillpost.toml")
        assert config is not None
        assert config.pipelines[0].source.poll.total_seconds() == seconds


def test_two_pipelines_that_fetch_from_one_folder_of_a_server_are_refused(tmp_path: Path, example: str) -> None:
    for host, faults in (("127.0.0.1", 2), ("127.0.0.2", 0)):
        pipeline = re.search(r"(?ms)^\[pipelines\.\w+\].*", _fetching(example, host))
        assert pipeline is not None
        second = re.sub(r"^\[pipelines\.\w+", "[pipelines.other", pipeline[0], flags=re.M)
        found = [each.message for each in _check(tmp_path, f"{_fetching(example)}\n{second}")]
        assert sum("fetches from 127.0.0.1:22/out too" in message for message in found) == faults, found
