"""B15, B19: a WAL that is damaged, or not this journal's. The line and the doctor say the same; nothing is silent."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.support.left_wal import copied, flip, killed
from tests.support.receipts import accept, found
from tillpost.errors import InvalidValue, JournalDamaged
from tillpost.journal import Journal
from tillpost.journal.sqlite.doctor import Damage, repair, verify
from tillpost.journal.sqlite.wal import FRAME_HEADER, HEADER, checksum

NOW = 1000.0
STEP = FRAME_HEADER + 4096


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("left") / "shop"
    numbers = killed(folder, 24)
    assert (folder / "journal.db-wal").stat().st_size > 24 * STEP
    return folder, numbers


def there(folder: Path) -> dict[str, bool]:
    """Each receipt of a journal, by its number: whether its content is whole."""
    journal = Journal(folder)
    try:
        whole = {}
        for entry in journal.receipts.find({}):
            try:
                whole[entry.number] = journal.bodies.get(entry.seq).number == entry.number
            except (InvalidValue, JournalDamaged):
                whole[entry.number] = False
        return whole
    finally:
        journal.close()


def opens(folder: Path) -> str:
    """What the line says when it opens the journal; "" when it is fine. The folder is not changed."""
    trial = copied(folder, folder.with_name(f"{folder.name}-line"))
    try:
        Journal(trial).close()
    except JournalDamaged as error:
        return str(error)
    finally:
        shutil.rmtree(trial)
    return ""


def judged(folder: Path) -> list[Damage]:
    """The line and the doctor agree; after a repair both are content, and it is not repaired again."""
    line, doctor = opens(folder), verify(folder)
    assert bool(line) == bool([each for each in doctor.damages if each.table == "journal"]), (line, doctor)
    if not line:
        return []
    assert next(each.reason for each in doctor.damages if each.table == "journal") in line, "they say the same"
    dry = repair(folder, NOW, dry=True)
    done = repair(folder, NOW)
    assert [each.as_dict() for each in dry.damages] == [each.as_dict() for each in done.damages]
    assert done.kept is not None
    assert opens(folder) == ""
    assert verify(folder).fine, verify(folder)
    assert repair(folder, NOW).kept is None, "once is enough"
    return done.damages


def kept_or_told(folder: Path, numbers: list[str]) -> list[Damage]:
    """Every acknowledged receipt is there and whole, or it is said what was lost."""
    damages = judged(folder)
    whole = there(folder)
    missing = [number for number in numbers if not whole.get(number)]
    assert not missing or any(each.lost != "nothing" for each in damages), missing
    return damages


@pytest.mark.parametrize("seed", range(40))
def test_b19_a_flipped_bit_in_the_wal_takes_nothing_in_silence(
    left: tuple[Path, list[str]], tmp_path: Path, seed: int
) -> None:
    folder, numbers = copied(left[0], tmp_path / "shop"), left[1]
    wal = folder / "journal.db-wal"
    flip(wal, Random(seed).randrange(wal.stat().st_size * 8))
    kept_or_told(folder, numbers)
    assert set(there(folder)) == set(numbers), "one flipped bit takes no receipt"


@pytest.mark.parametrize("frame", [1, 2, 9, 30, -2, -1])
@pytest.mark.parametrize("at", [0, 5, 9, 18, 24, 24 + 70, 24 + 2000, 24 + 4095])
def test_b19_a_flipped_bit_at_each_part_of_a_frame_is_noticed(
    left: tuple[Path, list[str]], tmp_path: Path, frame: int, at: int
) -> None:
    """Page number, commit, salt, checksum and content; the first frame, the last, and some between."""
    folder, numbers = copied(left[0], tmp_path / "shop"), left[1]
    wal = folder / "journal.db-wal"
    count = (wal.stat().st_size - HEADER) // STEP
    number = frame if frame > 0 else count + 1 + frame
    flip(wal, (HEADER + (number - 1) * STEP + at) * 8)
    assert kept_or_told(folder, numbers), "an acknowledged frame is damaged: that is said"
    assert set(there(folder)) == set(numbers)


@pytest.mark.parametrize("at", range(HEADER))
def test_b19_a_flipped_bit_in_the_head_of_the_wal_does_not_empty_it(
    left: tuple[Path, list[str]], tmp_path: Path, at: int
) -> None:
    folder, numbers = copied(left[0], tmp_path / "shop"), left[1]
    flip(folder / "journal.db-wal", at * 8 + at % 8)
    kept_or_told(folder, numbers)
    assert set(there(folder)) == set(numbers)


@pytest.mark.parametrize("seed", range(12))
def test_b19_a_sector_of_the_wal_that_is_gone_is_told_with_what_was_lost(
    left: tuple[Path, list[str]], tmp_path: Path, seed: int
) -> None:
    folder, numbers = copied(left[0], tmp_path / "shop"), left[1]
    wal = folder / "journal.db-wal"
    content = bytearray(wal.read_bytes())
    at = Random(seed).randrange(len(content) // 512) * 512
    content[at : at + 512] = bytes(512)
    wal.write_bytes(content)
    kept_or_told(folder, numbers)


def test_b19_frames_that_are_cut_off_are_told(left: tuple[Path, list[str]], tmp_path: Path) -> None:
    """The end of the WAL is gone: what was acknowledged is known beside it."""
    folder, numbers = copied(left[0], tmp_path / "shop"), left[1]
    wal = folder / "journal.db-wal"
    wal.write_bytes(wal.read_bytes()[: HEADER + 40 * STEP])
    damages = kept_or_told(folder, numbers)
    assert "40 frames" in damages[0].reason
    journal = Journal(folder)
    assert [loss.what for loss in journal.losses.open()], "it stands until a person has settled it"
    journal.close()


def test_b19_a_wal_that_was_deleted_after_a_kill_is_told(left: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, numbers = copied(left[0], tmp_path / "shop"), left[1]
    (folder / "journal.db-wal").unlink()
    if opens(folder):  # the tables themselves may have been in it
        assert kept_or_told(folder, numbers)


def test_b19_without_the_flip_nothing_is_found(left: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, numbers = copied(left[0], tmp_path / "shop"), left[1]
    assert judged(folder) == []
    assert there(folder) == dict.fromkeys(numbers, True)


def test_b19_a_transaction_that_the_kill_tore_is_no_damage(left: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Frames of a commit that never returned are at the end of many a WAL; nobody was promised them."""
    folder, numbers = copied(left[0], tmp_path / "shop"), left[1]
    wal = folder / "journal.db-wal"
    content = wal.read_bytes()
    wal.write_bytes(content + content[HEADER : HEADER + 3 * STEP])
    assert judged(folder) == []
    assert there(folder) == dict.fromkeys(numbers, True)


def _days(tmp_path: Path) -> tuple[Path, Path]:
    """The same journal yesterday and today, each as a kill left it, with checkpoints between the two."""
    folder = tmp_path / "shop"
    killed(folder, 12)
    yesterday = copied(folder, tmp_path / "yesterday")
    for day in range(3):
        killed(folder, 12, first=100 * (day + 1))
    return yesterday, folder


def test_b15_yesterdays_journal_beside_todays_wal(tmp_path: Path) -> None:
    yesterday, folder = _days(tmp_path)
    shutil.copy(yesterday / "journal.db", folder / "journal.db")
    damages = judged(folder)
    assert "is not the WAL of this journal.db" in damages[0].reason
    assert "journal.db is an older copy" in damages[0].reason
    assert "put back the file" in damages[0].remedy
    assert list(folder.glob("journal.db.damaged-*-wal")), "it is kept"


def test_b15_todays_journal_beside_yesterdays_wal(tmp_path: Path) -> None:
    yesterday, folder = _days(tmp_path)
    shutil.copy(yesterday / "journal.db-wal", folder / "journal.db-wal")
    damages = judged(folder)
    assert "the WAL is an older copy" in damages[0].reason


def test_b15_the_wal_of_another_journal(tmp_path: Path) -> None:
    killed(tmp_path / "a", 12)
    killed(tmp_path / "a", 12, first=50)
    killed(tmp_path / "b", 12)
    killed(tmp_path / "b", 30, first=50)
    shutil.copy(tmp_path / "b" / "journal.db-wal", tmp_path / "a" / "journal.db-wal")
    assert judged(tmp_path / "a")


def test_b15_the_shared_memory_of_another_day_does_no_harm(tmp_path: Path) -> None:
    yesterday, folder = _days(tmp_path)
    shutil.copy(yesterday / "journal.db-shm", folder / "journal.db-shm")
    assert judged(folder) == []
    assert len(there(folder)) == 48


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(4096) + path.read_bytes()[8192:]),
        lambda path: path.write_bytes(bytes(100) + path.read_bytes()[100:]),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(b"no database at all " * 400),
        lambda path: path.write_bytes(b""),
        lambda path: flip(path, 100 * 8 + 3),
    ],
)
def test_b15_where_the_line_refuses_the_doctor_finds_something(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    """Never `fine` and `nothing to repair` for what the line calls damaged: after the repair the line is content."""
    journal = Journal(tmp_path / "shop")
    accept(journal, *[found(number=str(number)) for number in range(40)])
    journal.close()
    damage(tmp_path / "shop" / "journal.db")
    if line := opens(tmp_path / "shop"):
        assert not verify(tmp_path / "shop").fine, line
        assert repair(tmp_path / "shop", NOW).kept is not None
    assert opens(tmp_path / "shop") == ""
    assert verify(tmp_path / "shop").fine or not line


def test_the_checksum_is_sqlites(left: tuple[Path, list[str]]) -> None:
    header = (left[0] / "journal.db-wal").read_bytes()[:HEADER]
    assert b"".join(each.to_bytes(4, "big") for each in checksum((0, 0), header[:24])) == header[24:]
