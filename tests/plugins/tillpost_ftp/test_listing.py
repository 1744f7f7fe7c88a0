"""Sizes in what servers answer to MLST and LIST."""

import ftplib

import pytest

from tillpost_ftp.listing import size_in_facts, size_in_list


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        ("250-Listing /a\n type=file;size=1234;modify=20260301123000; /a/x.xml\n250 End", 1234),
        ("250-\n Size=7;Type=file; x.xml\n250 End", 7),
        ("250-\n modify=20260301123000;type=file;SIZE=0; size=99;.xml\n250 End", 0),
        ("250-\n type=file;sizd=3; x\n250 End", None),
        ("250 ", None),
    ],
)
def test_the_size_among_the_facts_of_mlst(answer: str, size: int | None) -> None:
    assert size_in_facts(answer) == size


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("-rw-r--r--    1 1000     1000       300000 Nov 24 11:50 x.xml", 300000),
        ("-rw-r--r--+ 1 till staff 12 Nov 24 2025 /integration/transactionImport/x.xml\r\n", 12),
        ("11-24-26  11:50AM               42 x.xml", 42),
        ("11-24-2026  23:50               42 x.xml", 42),
        ("-rw-r--r--    1 1000     1000       300000 Nov 24 11:50 .x.xml", None),
        ("drwxr-xr-x    1 1000     1000       300000 Nov 24 11:50 x.xml.d", None),
        ("total 4", None),
        ("x.xml: No such file or directory", None),
        ("", None),
    ],
)
def test_the_size_in_a_listing(line: str, size: int | None) -> None:
    assert size_in_list(["total 12", line], "x.xml") == size


@pytest.mark.parametrize("line", ["+s12,r, x.xml", "drwxr-xr-x 1 a b 4096 Nov 24 11:50 x.xml", "x.xml"])
def test_a_name_in_an_unknown_form_is_not_taken_for_absent(line: str) -> None:
    with pytest.raises(ftplib.error_reply):
        size_in_list([line], "x.xml")
