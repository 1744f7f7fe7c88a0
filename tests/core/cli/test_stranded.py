"""A pipeline is taken out of the file, or renamed, while it holds receipts: it is said how many, and each way works."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.command import call, objects
from tests.support.receipts import receipt
from tillpost.alerts.standing import standing_alerts, watched
from tillpost.compose.config import load
from tillpost.compose.stranded import names_in, note_pipelines
from tillpost.errors import UsageError
from tillpost.journal import Journal, Move, RunLock, State
from tillpost.journal.sqlite import doctor
from tillpost.model.receipt_json import dumps


def renamed(shop: Path, name: str = "market") -> Path:
    """The state folder of the pipeline before."""
    config = load(shop, plugins=False)
    note_pipelines(config, names_in(config))
    (before,) = config.pipelines
    shop.write_text(shop.read_text().replace(f"[pipelines.{before.name}]", f"[pipelines.{name}]"))
    return before.state


def states(folder: Path) -> dict[str, str]:
    with closing(Journal(folder)) as journal:
        return {entry.id: str(entry.state) for entry in journal.receipts.find({})}


def test_b13_a_renamed_pipeline_leaves_nothing_behind_unsaid(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    assert call(shop, "stranded", "list").exit_code == 0
    old = renamed(shop)
    said = f"pipeline {old.name} is not in the file, and 2 receipts and 1 held receipt wait in {old}"
    check = call(shop, "check", "--offline")
    assert check.exit_code == 1
    assert said in check.stderr
    assert f"tillpost stranded move {old.name} --to PIPELINE" in check.stderr
    status = call(shop, "status")
    assert status.exit_code == 1
    assert said in status.stdout
    (shown,) = objects(call(shop, "status", "--json"))
    assert [(one["name"], one["waiting"], one["held"]) for one in shown["stranded"]] == [(old.name, 2, 1)]
    (listed,) = objects(call(shop, "stranded", "list", "--json"))
    assert (listed["name"], listed["waiting"], listed["held"], listed["files"]) == (old.name, 2, 1, 0)


def test_b13_they_are_moved_to_another_pipeline_under_their_ids(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    old = renamed(shop)
    with closing(Journal(old)) as journal:
        journal.receipts.settle([(1, Move(state=State.UNCERTAIN, due=9e9))], 5.0, "deliver")
    before = states(old)
    moved = call(shop, "stranded", "move", old.name, "--to", "market", "--json")
    assert moved.exit_code == 0, moved.output
    assert objects(moved) == [{"name": old.name, "to": "market", "moved": 3, "left": {}}]
    (new,) = (pipeline.state for pipeline in load(shop, plugins=False).pipelines)
    skipped = receipt("3", customer=None).id
    assert states(new) == {identity: state for identity, state in before.items() if identity != skipped}
    assert set(states(old).values()) == {"skipped"}
    for folder in (old, new):
        assert [damage for damage in doctor.verify(folder).damages if not damage.note] == []
    assert call(shop, "check", "--offline").exit_code == 0
    assert isinstance(call(shop, "stranded", "move", old.name, "--to", "market").exception, UsageError)
    assert call(shop, "accept", str(shop.parent / "day.jsonl"), "--json").exit_code == 0
    assert states(new)[receipt("1").id] == "uncertain", "the same file again changes nothing"


def test_b13_a_crash_between_taking_over_and_giving_away_doubles_nothing(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tillpost.journal.tables.moved import Moved

    call(shop, "accept", str(shop.parent / "day.jsonl"))
    old = renamed(shop)

    class Killed(Exception):
        pass

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Moved, "give_away", kill)
        assert isinstance(call(shop, "stranded", "move", old.name, "--to", "market").exception, Killed)
    assert call(shop, "stranded", "move", old.name, "--to", "market").exit_code == 0
    (new,) = (pipeline.state for pipeline in load(shop, plugins=False).pipelines)
    assert sorted(states(new).values()) == ["accepted", "accepted", "held"]
    assert set(states(old).values()) == {"skipped"}


def test_b13_what_stands_beside_a_receipt_stays_and_is_said(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    (shop.parent / "other.jsonl").write_bytes(dumps(receipt(number="1", price="12.00")))
    call(shop, "accept", str(shop.parent / "other.jsonl"))
    old = renamed(shop)
    moved = call(shop, "stranded", "move", old.name, "--to", "market")
    assert moved.exit_code == 1
    assert "1 receipt left in" in moved.stdout
    assert call(shop, "stranded", "list").exit_code == 1


def test_b13_a_folder_another_process_works_on_is_not_stranded(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    old = renamed(shop)
    lock = RunLock(old)
    assert call(shop, "stranded", "list").exit_code == 0
    lock.release()
    assert call(shop, "stranded", "list").exit_code == 1


def test_b13_a_state_folder_of_its_own_is_remembered(shop: Path, tmp_path: Path) -> None:
    text = shop.read_text()
    own = tmp_path / "elsewhere" / "till"
    name = load(shop, plugins=False).pipelines[0].name
    shop.write_text(text.replace(f"[pipelines.{name}]", f'[pipelines.{name}]\nstate = "{own}"'))
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    assert renamed(shop) == own
    shop.write_text(shop.read_text().replace(f'state = "{own}"\n', ""))
    (listed,) = objects(call(shop, "stranded", "list", "--json"))
    assert (listed["name"], listed["folder"]) == (name, str(own))


def test_b13_the_pipeline_back_in_the_file_is_not_stranded(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    text = shop.read_text()
    renamed(shop)
    shop.write_text(text)
    assert call(shop, "check", "--offline").exit_code == 0
    assert json.loads(call(shop, "status", "--json").stdout)["stranded"] == []


def test_b13_it_raises_an_alert_in_the_first_pipeline_of_the_file_until_it_is_moved(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    old = renamed(shop)
    config = load(shop, plugins=False)
    note_pipelines(config, names_in(config))
    (pipeline,) = config.pipelines

    def alerts() -> list[str]:
        with closing(Journal(pipeline.state)) as journal:
            found = standing_alerts(journal, watched(config, pipeline), 1e9)
            return [f"{alert.what} | {alert.next_step}" for alert in found if alert.rule == "stranded"]

    (alert,) = alerts()
    assert "2 receipts and 1 held receipt wait in" in alert
    assert f"tillpost stranded move {old.name} --to PIPELINE" in alert
    call(shop, "stranded", "move", old.name, "--to", pipeline.name)
    assert alerts() == []


@pytest.mark.parametrize("first", ["check", "accept"])
@pytest.mark.parametrize(("before", "after"), [("state", "other"), ("a/state", "b/state")])
def test_k9_another_state_folder_is_told_with_what_waits_in_the_one_before(
    shop: Path, first: str, before: str, after: str
) -> None:
    text = shop.read_text()
    shop.write_text(f'[tillpost]\nstate = "{before}"\n\n{text}')
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    shop.write_text(f'[tillpost]\nstate = "{after}"\n\n{text}')
    old, new = shop.parent / before / "shop", shop.parent / after / "shop"
    if first == "accept":
        (shop.parent / "next.jsonl").write_bytes(dumps(receipt(number="9")))
        assert call(shop, "accept", str(shop.parent / "next.jsonl")).exit_code == 0
    said = f"pipeline shop works in {new} now, and 2 receipts and 1 held receipt wait in {old}"
    check = call(shop, "check", "--offline")
    assert check.exit_code == 1
    assert said in check.stderr
    assert "tillpost.state" in check.stderr
    assert (f"move {old} to {new}" in check.stderr) == (first == "check")
    assert said in call(shop, "status").stdout
    assert call(shop, "stranded", "move", "shop", "--to", "shop").exit_code == 0
    assert sorted(states(new).values()) == ["accepted", "accepted", *["accepted"] * (first == "accept"), "held"]
    assert call(shop, "check", "--offline").exit_code == 0


def test_k9_the_state_of_one_pipeline_moved_and_moved_back(shop: Path) -> None:
    text = shop.read_text()
    shop.write_text(text.replace("[pipelines.shop]", '[pipelines.shop]\nstate = "own/till"'))
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    shop.write_text(text.replace("[pipelines.shop]", '[pipelines.shop]\nstate = "else/where"'))
    check = call(shop, "check", "--offline")
    assert f"works in {shop.parent / 'else' / 'where'} now" in check.stderr
    assert "pipelines.shop.state" in check.stderr
    (shop.parent / "else").mkdir()
    (shop.parent / "own" / "till").rename(shop.parent / "else" / "where")
    assert call(shop, "check", "--offline").exit_code == 0, "the advice followed: the folder was moved"


def test_k9_a_copied_state_folder_is_not_stranded(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    shutil.copytree(shop.parent / "state", shop.parent / "copy")
    shop.write_text(f'[tillpost]\nstate = "copy"\n\n{shop.read_text()}')
    assert call(shop, "check", "--offline").exit_code == 0


def test_k9_the_state_folder_of_another_configuration_is_not_stranded(shop: Path) -> None:
    text = shop.read_text()
    trial = shop.with_name("trial.toml")
    trial.write_text(f'[tillpost]\nstate = "trial"\n\n{text}')
    call(trial, "accept", str(shop.parent / "day.jsonl"))
    assert call(shop, "check", "--offline").exit_code == 0
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    assert call(trial, "check", "--offline").exit_code == 0


def test_k9_another_state_folder_raises_an_alert(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    shop.write_text(f'[tillpost]\nstate = "other"\n\n{shop.read_text()}')
    config = load(shop, plugins=False)
    note_pipelines(config, names_in(config))
    (pipeline,) = config.pipelines
    with closing(Journal(pipeline.state)) as journal:
        found = [alert.what for alert in standing_alerts(journal, watched(config, pipeline), 1e9)]
    assert any(f"wait in {shop.parent / 'state' / 'shop'}" in what for what in found)
