"""What people get wrong: each is one clear message with the right line (issue 3, Shows)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tillpost.compose.config import examine, load
from tillpost.compose.pipeline import check_pipelines
from tillpost.errors import ConfigurationError

SECOND = """
[pipelines.second]
state     = "state/Stores/inner"
adapter   = { use = "trial-log", timezone = "UTC" }
resolve   = { use = "trial-crm" }
map       = { use = "trial-crm" }
transport = { use = "trial-crm", url = "http://x", api_key = { env = "TRIAL_KEY" } }
"""

BROKEN = [
    ("unknown key", "patience = 3\nmap  ", "map", 8, "pipelines.stores.patience", "unknown key"),
    ("near key", "workes = 3\nmap  ", "map", 8, "pipelines.stores.workes", 'Did you mean "workers"?'),
    ("missing plugin", '"trial-folderr"', '"trial-folder"', 5, "source.use", 'Did you mean "trial-folder"?'),
    (
        "bad duration",
        '"500 ms"',
        '"500ms"',
        5,
        "source.settle",
        'must be a duration such as "30s" or "15m", and is "500 ms"',
    ),
    ("wrong type", "attempts = true", "attempts = 3", 9, "transport.attempts", "must be a whole number, and is true"),
    ("text for number", 'max_lines = "9"', "max_lines = 100", 10, "fallback.max_lines", "a whole number, and is"),
    ("adapter option", "timezones =", "timezone =", 6, "adapter.timezones", 'Did you mean "timezone"?'),
    ("bad time zone", '"America/Chicagoo"', '"America/Chicago"', 6, "adapter.timezone", '"America/Chicago"?'),
    ("unset variable", '"TRIAL_KEYS"', '"TRIAL_KEY"', 9, "transport.api_key", "variable TRIAL_KEYS is not set"),
    ("list item", '["memberNumber", 3]', '["memberNumber"]', 7, "resolve[0].keys[1]", "must be text, and is 3"),
    ("bad choice", '"lines"', '"line"', 8, "map.price_basis", 'must be "line" or "unit", and is "lines"'),
    ("bounds", '"-1m"', '"1m"', 10, "fallback.after", "must be a duration"),
    ("zero wait", '"0s"', '"1m"', 10, "fallback.after", "must be longer than zero"),
    ("plugin's bounds", "max_lines = 0", "max_lines = 100", 10, "fallback.max_lines", "must be above zero, and is 0"),
    ("plugin's law", '"ftp://x"', '"http://x"', 9, "pipelines.stores.transport", "url must begin with http"),
    (
        "import failure",
        '"trial-broken"',
        '"trial-folder"',
        5,
        "source.use",
        "imported from trial_broken: No module named",
    ),
    ("settings class", '"trial-unreadable"', '"trial-folder"', 5, "source.use", "its settings cannot be read"),
    (
        "no plugin value",
        '"trial-no-plugin"',
        '"trial-folder"',
        5,
        "source.use",
        "not_a_plugin is one dict, not a tillpost.Plugin",
    ),
    ("wrong slot", '"trial-log", path', '"trial-folder", path', 5, "source.use", "It can be used as: adapter."),
    (
        "no use",
        'us = "trial-sftp"',
        'use = "trial-sftp"',
        11,
        "transfer.use",
        "is missing. The pipeline cannot start with this. Write use =",
    ),
    ("lone transfer", "#fallback", "fallback", 11, "pipelines.stores.transfer", "needs fallback too"),
    ("required slot", "#map ", "map ", 4, "pipelines.stores.map", "is missing"),
    ("list for one", "= [1]#", '= { use = "trial-crm", price', 8, "stores.map", "must be one table, and is a list"),
    (
        "pipeline name",
        "[pipelines.Stores]",
        "[pipelines.stores]",
        4,
        "pipelines.Stores",
        '"Stores" is not a valid name',
    ),
    ("id recipe", 'receipt_id = "{till}"\nmap  ', "map", 8, "receipt_id", "{number} is missing"),
    ("id braces", 'receipt_id = "{till"\nmap  ', "map", 8, "receipt_id", "must be a recipe of the id such as"),
    ("anonymous", 'anonymous = "HOUSE"\nmap  ', "map", 8, "stores.anonymous", "must be kind:value"),
    ("top key", "sate =", "state =", 2, "tillpost.sate", 'Did you mean "state"?'),
    ("top table", "[tillpots]", "[tillpost]", 1, "tillpots", 'Did you mean "tillpost"?'),
    ("no TOML", "transfer  = =", "transfer  =", 11, "", "is not TOML"),
]


@pytest.mark.parametrize(
    ("new", "old", "line", "key", "said"), [case[1:] for case in BROKEN], ids=[c[0] for c in BROKEN]
)
def test_a_mistake_gives_a_message_with_its_line(
    write: Callable[..., Path], new: str, old: str, line: int, key: str, said: str
) -> None:
    file = write(old, new)
    config, findings = examine(file)
    assert config is None
    found = [finding for finding in findings if said in str(finding)]
    assert len(found) == 1, findings
    assert found[0].file == str(file)
    assert found[0].line == line
    assert found[0].key.endswith(key)
    assert found[0].level == "error"
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert found[0] in caught.value.findings


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("state/stores", "is also that of pipeline"),
        ("state/stores/inner", "is inside that of"),
        ("state", "contains that of"),
        ("STATE/Stores", "differs only in letter case"),
        ("inbox/../state/stores", "is also that of pipeline"),
    ],
)
def test_two_pipelines_do_not_share_a_state_folder(write: Callable[..., Path], state: str, said: str) -> None:
    file = write()
    file.write_text(file.read_text() + SECOND.replace("state/Stores/inner", state))
    config, findings = examine(file)
    assert config is None
    assert [finding.line for finding in findings] == [4, 14]
    assert said in findings[1].message


def test_two_pipelines_do_not_read_one_folder(write: Callable[..., Path]) -> None:
    source = 'source = { use = "trial-folder", path = "./inbox/x/.." }\n'
    file = write()
    file.write_text(file.read_text() + SECOND.replace('state     = "state/Stores/inner"\n', source))
    _, findings = examine(file)
    assert [(finding.line, finding.key) for finding in findings] == [
        (5, "pipelines.stores.source.path"),
        (14, "pipelines.second.source.path"),
    ]


def test_a_literal_secret_is_a_warning_that_does_not_show_it(write: Callable[..., Path]) -> None:
    config, findings = examine(write('{ env = "TRIAL_KEY" }', '"geheim"'))
    (finding,) = findings
    assert config is not None
    assert (finding.level, finding.line, finding.key) == ("warning", 9, "pipelines.stores.transport.api_key")
    assert "geheim" not in str(findings) + repr(config)


def test_what_a_plugin_finds_when_it_is_built_has_file_and_line(write: Callable[..., Path]) -> None:
    file = write("ssh-ed25519 AAAA", "AAAA")
    (finding,) = check_pipelines(load(file))
    assert (finding.file, finding.line, finding.key) == (str(file), 11, "pipelines.stores.transfer.host_key")
    assert "is no SSH public key" in finding.message


def test_everything_is_told_at_once(write: Callable[..., Path]) -> None:
    file = write()
    text = file.read_text().replace("500ms", "500").replace('"http://x"', "7").replace("America/", "Amerika/")
    file.write_text(text.replace("[tillpost]", "[tillpost]\nextra = 1").replace("attempts = 3", "attempts = 0"))
    _, findings = examine(file)
    assert sorted((finding.line, finding.key.split(".")[-1]) for finding in findings) == [
        (2, "extra"),
        (6, "settle"),
        (7, "timezone"),
        (10, "attempts"),
        (10, "url"),
    ]


def test_a_sound_pipeline_is_given_beside_a_broken_one(write: Callable[..., Path]) -> None:
    file = write("trial-folder", "trial-broken")
    file.write_text(file.read_text() + SECOND.replace("state/Stores/inner", "elsewhere"))
    config, findings = examine(file)
    assert config is not None
    assert [pipeline.name for pipeline in config.pipelines] == ["second"]
    assert len(findings) == 1


def test_without_plugins_the_journal_can_still_be_found(write: Callable[..., Path]) -> None:
    file = write("trial-folder", "trial-broken")
    (pipeline,) = load(file, plugins=False).pipelines
    assert pipeline.state == file.parent / "state" / "stores"


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    config, (finding,) = examine(tmp_path / "none.toml")
    assert config is None
    assert "tillpost init" in finding.next_step
