"""B18, B22: a new journal is never made in silence, and one that is older than what it acknowledged is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.engine import store_of
from tests.support.mounts import tmpfs
from tests.support.receipts import accept, found
from tillpost.compose.config import load
from tillpost.compose.journals import existing_journal, last_known, open_journal, remember
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import JournalMissing
from tillpost.journal import Journal, State
from tillpost.journal.database import Transaction
from tillpost.journal.sqlite.doctor import backup, repair, restore, verify
from tillpost.journal.sqlite.locks import ExclusiveLock
from tillpost.journal.tables import removed_rows

NOW = 1000.0
CONFIG = """
[tillpost]
state = "{state}"

[pipelines.shop]
source = {{ use = "folder", path = "inbox" }}
adapter = {{ use = "receipts" }}
resolve = [ {{ use = "known" }} ]
map = {{ use = "engage" }}
transport = {{ use = "engage", url = "https://127.0.0.1:1", api_key = "k", rate = 10 }}
"""


def pipeline(folder: Path, state: str = "state") -> PipelineConfig:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tillpost.toml").write_text(CONFIG.format(state=state))
    return load(folder / "tillpost.toml", plugins=False).pipelines[0]


def sold(config: PipelineConfig, *numbers: int) -> None:
    journal = open_journal(config, NOW)
    accept(journal, *[found(number=str(number)) for number in numbers])
    journal.close()


def test_b18_the_first_journal_is_told_with_its_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = pipeline(tmp_path)
    sold(config, 1)
    assert f"a new journal was made: {tmp_path / 'state' / 'shop' / 'journal.db'}" in caplog.text
    caplog.clear()
    sold(config, 2)
    assert caplog.text == ""


def test_what_fails_while_it_is_opened_lets_go_of_it(tmp_path: Path) -> None:
    """A repair needs it alone, and a `run` repairs what it could not read."""
    config = pipeline(tmp_path)

    def broken(_: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError) as kept:  # its frames keep what they had open
        open_journal(config, NOW, tell=broken)
    with ExclusiveLock(config.state):
        assert kept.tb is not None


def _unlinked(folder: Path) -> None:
    for path in folder.glob("journal.*"):
        path.unlink()


@pytest.mark.parametrize(
    "gone",
    [
        lambda folder: shutil.rmtree(folder),
        lambda folder: shutil.rmtree(folder.parent),
        lambda folder: folder.rename(folder.with_name("away")),
        lambda folder: (folder / "journal.db").unlink(),
        _unlinked,
    ],
)
@pytest.mark.parametrize("opened", [lambda config: open_journal(config, NOW), existing_journal])
def test_b18_where_a_journal_was_none_is_made(
    tmp_path: Path, gone: Callable[[Path], object], opened: Callable[[PipelineConfig], Journal]
) -> None:
    config = pipeline(tmp_path)
    sold(config, 1)
    gone(config.state)
    with pytest.raises(JournalMissing, match=r"is not there, and a journal was.*Mount its disk.*`tillpost run --new`"):
        opened(config)
    assert not (config.state / "journal.db").exists()


def test_b18_a_state_disk_that_is_not_mounted_is_no_new_journal(tmp_path: Path) -> None:
    config, point = pipeline(tmp_path), tmp_path / "state"
    with tmpfs(point, "size=16m"):
        sold(config, 1)
    with pytest.raises(JournalMissing, match="Mount its disk"):
        open_journal(config, NOW)
    assert not list(point.rglob("journal.db"))


def test_b18_a_state_elsewhere_is_remembered_beside_the_configuration(tmp_path: Path) -> None:
    """As on a server: the configuration in /etc, the state in /var/lib, where no mark can be above the mount point."""
    (tmp_path / "var").mkdir()
    config = pipeline(tmp_path / "etc", state=str(tmp_path / "var" / "lib"))
    sold(config, 1)
    shutil.rmtree(tmp_path / "var")
    with pytest.raises(JournalMissing):
        open_journal(config, NOW)


def test_b18_a_new_one_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    config = pipeline(tmp_path)
    sold(config, 1, 2)
    shutil.rmtree(config.state)
    journal = open_journal(config, NOW, new=True)
    assert journal.receipts.counts()[State.ACCEPTED] == 0
    assert journal.losses.open() == [], "it was asked for"
    journal.close()
    sold(config, 3)


def test_b18_looking_makes_nothing(tmp_path: Path) -> None:
    config = pipeline(tmp_path)
    journal = existing_journal(config)
    assert journal.receipts.counts()[State.ACCEPTED] == 0
    with pytest.raises(JournalMissing, match="there is no journal yet"):
        accept(journal, found())
    journal.close()
    assert not config.state.exists()


def test_b18_the_saved_copy_of_a_deleted_journal_is_named(tmp_path: Path) -> None:
    config = pipeline(tmp_path)
    sold(config, 1)
    (config.state / "journal.db").rename(config.state / "journal.db.rescued")
    with pytest.raises(JournalMissing, match=r"rename .*journal\.db\.rescued to journal\.db"):
        open_journal(config, NOW)
    (config.state / "journal.db.rescued").rename(config.state / "journal.db")
    sold(config, 2)


def test_b22_a_snapshot_put_back_is_told_and_open_receipts_are_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = pipeline(tmp_path)
    sold(config, 1, 2)
    shutil.copytree(config.state, tmp_path / "snapshot")
    sold(config, 3, 4)
    shutil.rmtree(config.state)
    shutil.copytree(tmp_path / "snapshot", config.state)
    journal = open_journal(config, NOW)
    (loss,) = journal.losses.open()
    assert "is older than what it acknowledged" in loss.what
    assert "have the documents since" in loss.next_step
    assert "is older than what it acknowledged" in caplog.text
    assert journal.receipts.counts()[State.UNCERTAIN] == 2, "they may have been sent since"
    journal.close()
    caplog.clear()
    journal = open_journal(config, NOW)
    assert caplog.text == "", "told once, and shown until it is settled"
    assert journal.losses.open() == [loss]
    assert journal.losses.settle(NOW) == 1
    assert journal.losses.open() == []
    journal.close()


def test_b22_another_journal_in_its_place_is_told(tmp_path: Path) -> None:
    config, other = pipeline(tmp_path / "a"), pipeline(tmp_path / "b")
    sold(config, 1)
    sold(other, 1, 2, 3)
    shutil.rmtree(config.state)
    shutil.copytree(other.state, config.state)
    journal = open_journal(config, NOW)
    assert "is another journal than the one that was here" in journal.losses.open()[0].what
    journal.close()


def test_b22_after_a_deliberate_restore_nothing_is_told_twice(tmp_path: Path) -> None:
    config = pipeline(tmp_path)
    sold(config, 1, 2)
    backup(config.state, tmp_path / "b.db", NOW)
    sold(config, 3, 4)
    restore(config.state, tmp_path / "b.db", NOW, 60.0, replace=True)
    remember(config)
    journal = open_journal(config, NOW)
    assert journal.losses.open() == []
    journal.close()


def test_b22_a_journal_that_lost_its_newest_events_to_retention_is_not_older(tmp_path: Path) -> None:
    config = pipeline(tmp_path)
    journal = open_journal(config, NOW)
    accept(journal, found(number="1"), found(number="2"))
    journal.tidy()

    def remove(transaction: Transaction) -> None:
        seqs = [seq for (seq,) in transaction.execute("DELETE FROM events RETURNING seq")]
        removed_rows.record(transaction, removed_rows.EVENTS, seqs)

    store_of(journal).write(remove)
    journal.close()
    journal = open_journal(config, NOW)
    assert journal.losses.open() == []
    journal.close()


def seqs(journal: Journal) -> list[int]:
    return [event["seq"] for event in journal.events.newest(100)]


def _snapshot(config: PipelineConfig, copy: Path, events: int) -> Journal:
    shutil.rmtree(config.state)
    shutil.copytree(copy, config.state)
    return open_journal(config, NOW)


def _restored(config: PipelineConfig, copy: Path, events: int) -> Journal:
    restore(config.state, copy / "journal.db", NOW, 60.0, replace=True, known=last_known(config))
    remember(config)
    return open_journal(config, NOW)


def _restored_after_a_loss(config: PipelineConfig, copy: Path, events: int) -> Journal:
    shutil.rmtree(config.state)
    return _restored(config, copy, events)


def _restored_elsewhere(config: PipelineConfig, copy: Path, events: int) -> Journal:
    """On another machine, where nobody knows how far the pipeline had come."""
    other = pipeline(config.state.parent.parent / "other machine")
    return _restored(other, copy, events)


def _new(config: PipelineConfig, copy: Path, events: int) -> Journal:
    shutil.rmtree(config.state)
    return open_journal(config, NOW, new=True)


def _elsewhere(config: PipelineConfig, copy: Path, events: int) -> Journal:
    """`state` is another folder now, with an empty journal."""
    return open_journal(pipeline(config.state.parent.parent, state="elsewhere"), NOW)


def _there_and_back(config: PipelineConfig, copy: Path, events: int) -> Journal:
    with closing(_elsewhere(config, copy, events)) as journal:
        accept(journal, found(number="7"))
        journal.tidy()
        seen = max(seqs(journal))
    journal = open_journal(config, NOW)
    assert max(seqs(journal)) > seen
    return journal


def _another(config: PipelineConfig, copy: Path, events: int) -> Journal:
    other = pipeline(config.state.parent.parent / "b")
    sold(other, *range(50))
    shutil.rmtree(config.state)
    shutil.copytree(other.state, config.state)
    return open_journal(config, NOW)


def _end_lost(config: PipelineConfig, copy: Path, events: int) -> Journal:
    """The doctor finds that the end of the journal is gone, and repairs."""
    (config.state / "journal.db").write_bytes((copy / "journal.db").read_bytes())
    assert repair(config.state, NOW).kept is not None
    remember(config)
    return open_journal(config, NOW)


WAYS = [
    _snapshot, _restored, _restored_after_a_loss, _restored_elsewhere, _new, _elsewhere, _there_and_back, _another,
    _end_lost,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_journal_that_went_back_gives_out_no_seq_again(
    tmp_path: Path, way: Callable[[PipelineConfig, Path, int], Journal]
) -> None:
    """An observer that takes what is not above its last `seq` for a repeat would drop what is new, in silence."""
    config, copy = pipeline(tmp_path / "shop"), tmp_path / "copy"
    sold(config, 1, 2)
    shutil.copytree(config.state, copy)
    with closing(open_journal(config, NOW)) as journal:
        before = len(seqs(journal))
        accept(journal, *[found(number=str(number)) for number in range(3, 30)])
        given_out = max(seqs(journal))
    journal = way(config, copy, before)
    accept(journal, found(number="99"))
    after = [seq for seq in seqs(journal)[before:] if seq <= given_out]
    assert way in (_another, _there_and_back) or after == [], "of all that happened since"
    assert max(seqs(journal)) > given_out
    assert max(seqs(journal)) < 2**53, "exact as a number of JSON"
    folder = journal.folder
    journal.close()
    assert [damage for damage in verify(folder).damages if not damage.note] == []
    journal = Journal(folder)
    last = max(seqs(journal))
    accept(journal, found(number="100"))
    assert max(seqs(journal)) == last + 1, "without another gap"
    journal.close()


def test_a_journal_that_did_not_go_back_has_no_gap(tmp_path: Path) -> None:
    config = pipeline(tmp_path)
    for number in range(5):
        sold(config, number)
    with closing(open_journal(config, NOW)) as journal:
        assert seqs(journal) == list(range(1, len(seqs(journal)) + 1))
