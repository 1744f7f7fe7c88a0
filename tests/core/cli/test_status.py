"""`tillpost status` and `tillpost alerts` say what needs a person, by text, JSON and exit code."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import CONFIG, call, objects
from tests.support.receipts import DOCUMENT, found
from tillpost.journal import (
    Accepted,
    Destination,
    FileServer,
    Journal,
    Move,
    ObserverBehind,
    Reading,
    Refusal,
    RunLock,
    SourceState,
    State,
)
from tillpost.model import Broken, Document


@pytest.fixture
def journal(shop: Path) -> Iterator[Journal]:
    with closing(Journal(shop.parent / "state" / "shop")) as opened:
        yield opened


@pytest.fixture
def at_work(shop: Path, journal: Journal) -> Iterator[None]:
    """A `tillpost run` has the lock of the state folder."""
    lock = RunLock(shop.parent / "state" / "shop")
    yield
    lock.release()


def _held(journal: Journal) -> None:
    broken = Broken(reason="no total", place="line 9", raw=b"x")
    journal.receipts.accept([broken], DOCUMENT, None, 100.0, Accepted())


def _set_aside(journal: Journal) -> None:
    document = Document(name="day.xml", sha256="ab" * 32, path=None, content=b"<")
    journal.documents.set_aside(Reading(document, "folder"), "not well-formed", 100.0)


def _paused(journal: Journal) -> None:
    journal.destination.put(Destination(state="paused", reason="401: another key", since=100.0), 100.0)


def _file_server(journal: Journal) -> None:
    journal.file_server.put(
        FileServer(refused=Refusal.PROBE, failures=1, reason="host key", since=100.0, checked_at=100.0)
    )


def _loss(journal: Journal) -> None:
    journal.losses.record(100.0, "receipt 12_1 is missing", "Read the export again.")


def _contact_set_aside(journal: Journal) -> None:
    journal.steps_set_aside.put(
        "confirm_receipts", "c0f3", "the process ended 3 times", 3, time.time(), time.time() + 9
    )


def _event_lost(journal: Journal) -> None:
    journal.steps_set_aside.add_lost("chat", "observe raised ValueError at chat.py:7", 2, time.time())


def _observer_away(journal: Journal) -> None:
    journal.events.add(100.0, "accept", "receipt")
    away = ObserverBehind("chat", 0, SourceState.FAILING, "the chat is away", time.time() - 900, time.time(), 9)
    journal.observers_behind.move(1, [away])


def _of_the_process(journal: Journal) -> None:
    journal.alerts.change([("stopped", "shop: threads hang", "…", "Restart.")], [], [], (), 100.0)


NEEDS: dict[str, tuple[Callable[[Journal], None], str, str]] = {
    "held": (_held, "held", "no total"),
    "document set aside": (_set_aside, "documents", "day.xml (not well-formed)"),
    "paused": (_paused, "paused", "401: another key"),
    "file server": (_file_server, "file_server", "host key"),
    "contact set aside": (_contact_set_aside, "set_aside", "the process ended 3 times"),
    "event lost": (_event_lost, "observer", "the observer chat lost 2 events"),
    "observer away": (_observer_away, "observer", "the observer chat has not got 1 event since"),
    "missing in the journal": (_loss, "journal", "receipt 12_1 is missing"),
    "what only the process knows": (_of_the_process, "stopped", "threads hang"),
}


@pytest.mark.usefixtures("at_work")
def test_nothing_needs_a_person_while_a_run_is_at_work_and_all_is_well(shop: Path, journal: Journal) -> None:
    journal.receipts.accept([found()], DOCUMENT, None, 100.0, Accepted())
    journal.receipts.settle([(1, Move(state=State.DELIVERED, route="api"))], 100.0, "deliver")
    journal.alerts.mark_watched(time.time() - 60)
    status = call(shop, "status", "--json")
    (answer,) = objects(status)
    assert (status.exit_code, answer["needs_person"]) == (0, False)
    assert (answer["pipelines"]["shop"]["running"], answer["pipelines"]["shop"]["needs_person"]) == (True, [])
    assert "nothing needs a person" in call(shop, "status").stdout
    alerts = call(shop, "alerts")
    assert (alerts.exit_code, "no alert stands; the rules were evaluated now" in alerts.stdout) == (0, True)
    assert objects(call(shop, "alerts", "--json")) == []


@pytest.mark.parametrize("need", NEEDS)
@pytest.mark.usefixtures("at_work")
def test_k5_what_needs_a_person_is_said_at_once_with_the_next_step(shop: Path, journal: Journal, need: str) -> None:
    """No `[alerts]`, and no evaluation by `tillpost run` yet."""
    happens, rule, said = NEEDS[need]
    happens(journal)
    status = call(shop, "status", "--json")
    (answer,) = objects(status)
    (alert,) = answer["pipelines"]["shop"]["alerts"]
    assert (status.exit_code, answer["needs_person"], alert["alert"].split()[0]) == (1, True, rule)
    assert said in alert["what"]
    assert alert["means"]
    assert alert["next_step"]
    assert answer["pipelines"]["shop"]["needs_person"] == [{key: alert[key] for key in ("what", "next_step")}]
    text = call(shop, "status").stdout
    assert said in text
    assert alert["next_step"] in text
    alerts = call(shop, "alerts")
    assert (alerts.exit_code, said in alerts.stdout, "do: " in alerts.stdout) == (1, True, True)


@pytest.mark.usefixtures("at_work")
def test_a_run_that_hangs_and_watches_no_more_is_told(shop: Path, journal: Journal) -> None:
    journal.alerts.mark_watched(time.time() - 3600)
    (alert,) = objects(call(shop, "alerts", "--json"))
    assert alert["alert"] == "not_watched"
    assert call(shop, "status").exit_code == 1


@pytest.mark.parametrize("need", [*NEEDS, "nothing"])
def test_alerts_never_say_that_none_stands_when_nobody_watches(shop: Path, journal: Journal, need: str) -> None:
    happens, rule, said = NEEDS.get(need, (lambda _: None, "", ""))
    happens(journal)
    journal.alerts.mark_watched(1_700_000_000.0)
    listed = call(shop, "alerts", "--json")
    rules = {row["alert"].split()[0]: row["what"] for row in objects(listed) if row["over_at"] is None}
    assert listed.exit_code == 1
    assert "no `tillpost run` is at work, and nobody watches since 2023-11-14" in rules["not_running"]
    assert "no alert stands" not in call(shop, "alerts").stdout
    if rule not in ("", "stopped"):  # a process that is gone has no threads
        assert said in rules[rule]
    status = call(shop, "status", "--json")
    assert (status.exit_code, objects(status)[0]["pipelines"]["shop"]["running"]) == (1, False)
    assert "no `tillpost run` is at work" in call(shop, "status").stdout


@pytest.mark.usefixtures("at_work")
def test_a_rule_that_is_off_has_no_alert_and_status_needs_a_person_all_the_same(shop: Path, journal: Journal) -> None:
    shop.write_text('[alerts]\noff = ["held", "documents", "journal", "set_aside", "observer"]\n' + CONFIG)
    _held(journal)
    _loss(journal)
    _set_aside(journal)
    _contact_set_aside(journal)
    status = call(shop, "status", "--json")
    stand: dict[str, Any] = objects(status)[0]["pipelines"]["shop"]
    assert (status.exit_code, stand["alerts"]) == (1, [])
    assert [need["what"] for need in stand["needs_person"]] == [
        "receipt 12_1 is missing", "1 held receipt", "1 document set aside", "the process ended 3 times",
    ]  # fmt: skip
    assert "needs a person: 1 document set aside" in call(shop, "status").stdout
    assert call(shop, "alerts").exit_code == 0


@pytest.mark.parametrize("happens", [_observer_away, _event_lost])
@pytest.mark.parametrize("other", [None, _contact_set_aside])
@pytest.mark.usefixtures("at_work")
def test_an_observer_in_trouble_needs_a_person_without_its_rule(
    shop: Path, journal: Journal, happens: Callable[[Journal], None], other: Callable[[Journal], None] | None
) -> None:
    """An alert about another step does not hide it."""
    shop.write_text('[alerts]\noff = ["observer"]\n' + CONFIG)
    happens(journal)
    if other is not None:
        other(journal)
    status = call(shop, "status", "--json")
    assert status.exit_code == 1
    needs = [need["what"] for need in objects(status)[0]["pipelines"]["shop"]["needs_person"]]
    assert any("the chat is away" in need or "observe raised ValueError" in need for need in needs)


@pytest.mark.usefixtures("at_work")
def test_limits_of_the_file_count_without_reading_its_secrets(shop: Path, journal: Journal) -> None:
    hook = 'webhook = { url = "https://chat.example.com", headers = { Authorization = { env = "NOT_SET_HERE" } } }'
    shop.write_text(f"[alerts]\nheld = 2\n{hook}\n" + CONFIG)
    _held(journal)
    assert objects(call(shop, "alerts", "--json")) == []
    broken = Broken(reason="no total", place="line 10", raw=b"y")
    journal.receipts.accept([broken], DOCUMENT, None, 100.0, Accepted())
    (alert,) = objects(call(shop, "alerts", "--json"))
    assert alert["alert"] == "held no total"


@pytest.fixture
def beside_a_damaged_one(shop: Path, journal: Journal) -> None:
    """Two pipelines: `web`, the first of the file, has a journal that cannot be read; `shop` holds a receipt."""
    one = CONFIG[CONFIG.index("[pipelines.shop]") :]
    web = one.replace("[pipelines.shop]", "[pipelines.web]")
    shop.write_text(CONFIG[: CONFIG.index("[pipelines.shop]")] + web + "\n" + one)
    (shop.parent / "state" / "web").mkdir()
    (shop.parent / "state" / "web" / "journal.db").write_bytes(b"no database, and longer than a header" * 100)
    _held(journal)


@pytest.mark.usefixtures("beside_a_damaged_one")
def test_a_pipeline_whose_journal_is_damaged_hides_no_other(shop: Path) -> None:
    status = call(shop, "status", "--json")
    (answer,) = objects(status)
    assert status.exit_code == 1
    assert answer["pipelines"]["shop"]["counts"]["held"] == 1
    assert answer["pipelines"]["web"]["state"] == "unknown"
    assert "journal verify --pipeline web" in answer["pipelines"]["web"]["needs_person"][0]["next_step"]
    assert "web: unknown" in call(shop, "status").stdout


@pytest.mark.usefixtures("beside_a_damaged_one")
@pytest.mark.parametrize("words", [["account"], ["alerts"], ["metrics"], ["top", "--once"]], ids=lambda words: words[0])
def test_a_command_over_several_pipelines_tells_of_the_journal_it_cannot_read_and_shows_the_others(
    shop: Path, words: list[str]
) -> None:
    result = call(shop, *words)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    assert "web: " in result.output
    assert "not a database" in result.output
    assert "journal verify --pipeline web" in result.output
    assert "shop" in result.stdout


@pytest.mark.usefixtures("beside_a_damaged_one")
def test_the_same_for_scripts(shop: Path) -> None:
    (account,) = objects(call(shop, "account", "--json"))
    assert "not a database" in account["unknown"]["web"]
    assert account["pipelines"]["shop"][0]["broken"]["held"] == 1
    alerts = {each["pipeline"]: each["alert"] for each in objects(call(shop, "alerts", "--json")) if "over_at" in each}
    assert alerts["web"] == "unreadable"
    assert alerts["shop"]
    web, other = objects(call(shop, "top", "--once", "--json"))
    assert (web["state"], other["pipeline"], other["counts"]["held"]) == ("unknown", "shop", 1)
    metrics = call(shop, "metrics")
    assert 'state="held"} 1.0' in metrics.stdout
    assert "web" not in metrics.stdout


@pytest.mark.usefixtures("beside_a_damaged_one")
def test_a_document_is_looked_for_in_the_journals_that_can_be_read(shop: Path) -> None:
    result = call(shop, "account", "--document", "no-such.xml")
    assert "web: unknown" in result.stdout
    assert "in the journals that can be read" in str(result.exception)


@pytest.mark.usefixtures("beside_a_damaged_one")
def test_a_bundle_has_what_can_be_read_and_says_what_cannot(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "b.zip"
    assert call(shop, "bundle", "--out", str(out)).exit_code == 0
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        assert "pipelines/shop/status.json" in names
        assert "file is not a" in archive.read("pipelines/web/unreadable.json").decode()
