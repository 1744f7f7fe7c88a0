"""Real file servers, 100 files each, and a reader that polls the folder all the while."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.support.fallback_files import written
from tests.support.fileserver import KINDS, fileserver
from tests.support.import_reader import ImportReader
from tillpost.model import Delivered

pytestmark = pytest.mark.slow

FILES = 100


def day() -> dict[str, bytes]:
    """Names and contents of the files of a long outage: from a few bytes to half a megabyte."""
    random = Random(4)
    return {
        f"20260301{number:06d}_{number}_transactions.xml": random.randbytes(random.choice((100, 20_000, 500_000)))
        for number in range(FILES)
    }


@pytest.mark.parametrize(
    ("kind", "consume"),
    [
        *(pytest.param(kind, False, id=f"{kind}-kept") for kind in KINDS),
        *(pytest.param(kind, True, id=f"{kind}-read-and-deleted") for kind in ("sftp-key", "ftps-1.3", "ftp")),
    ],
)
def test_no_part_of_a_file_is_ever_seen_under_its_final_name(
    tmp_path: Path, kind: str, consume: bool, measured: Callable[[str], None]
) -> None:
    """vsftpd with require_ssl_reuse=YES on TLS 1.2 and 1.3, sshd with password and with key: 100 files each, 0 partial
    files ever visible under a final name. The server deletes consumed files at any moment, also between upload and
    check: every file counts as up once, and as gone."""
    whole = day()
    with fileserver(kind, tmp_path / "server") as server:
        transfer, folder = server.transfer(), server.home / "transactionImport"
        with ImportReader(folder, whole, consume) as watch:
            for number, (name, content) in enumerate(whole.items()):
                file = written(tmp_path / "fallback", content, name)
                assert isinstance(transfer.transfer(file), Delivered)
                if number % 10 == 0:
                    assert transfer.find_transferred(file) in ((True, False) if consume else (True,))
        assert watch.partial == []
        assert watch.looks >= FILES
        assert sorted(watch.taken) == (sorted(whole) if consume else [])
        assert server.files() == ({} if consume else {f"transactionImport/{name}": whole[name] for name in whole})
        gone = written(tmp_path / "fallback", b"", "20260301000000_0_transactions.xml")
        assert transfer.find_transferred(gone) is not consume
    measured(f"{kind}: {FILES} files, {watch.looks} looks, {len(watch.partial)} partial")


def test_a_writer_without_a_temporary_name_would_be_seen(tmp_path: Path) -> None:
    """That the reader finds a part when there is one."""
    whole = day()
    name, content = next((name, content) for name, content in whole.items() if len(content) > 1000)
    with ImportReader(tmp_path, whole) as watch, (tmp_path / name).open("wb") as file:
        file.write(content[:1000])
        file.flush()
        until = time.monotonic() + 30
        while not watch.partial and time.monotonic() < until:
            time.sleep(0.01)
        file.write(content[1000:])
    assert set(watch.partial) == {name}
