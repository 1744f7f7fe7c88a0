"""A document made into a sample, and the proof that its adapter reads the same in it."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Callable, Collection, Iterator

import attrs

from tillpost.errors import UsageError
from tillpost.support.sample.csv_text import rewrite_csv
from tillpost.support.sample.disguise import Disguise
from tillpost.support.sample.json_text import Path, Rewrite, rewrite_json
from tillpost.support.sample.shapes import Shapes
from tillpost.support.sample.workbook import rewrite_workbook
from tillpost.support.sample.xml_text import rewrite_xml

LARGEST = 64 * 1024 * 1024
"""Bytes of a document, and of what is packed in it: a sample is small."""
_TEXTS = (".csv", ".txt", ".tsv", ".xml", ".json", ".jsonl")
_DECLARED = re.compile(rb"<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SECTION = re.compile(rb"^\[[A-Za-z_]+\.(?:csv|txt)\]\r?\n([^\n]*)", re.M)
_COLUMN = re.compile(rb"\b[A-Z]+_[A-Z0-9_]+\b")
Read = Callable[[bytes], tuple[object, ...]]


@attrs.frozen(kw_only=True)
class Form:
    """What the adapter's settings say of the form: encoding, delimiter and quote of CSV; "" where they do not."""

    encoding: str = ""
    delimiter: str = ""
    quote: str = '"'


@attrs.frozen(kw_only=True)
class Made:
    """A sample. replaced: how many values. kept: place → the values that stay because the adapter needs them.

    omitted: files of a zip that are no tables. differs: what the adapter reads otherwise; the sample is no proof then.
    people_left: places where a customer's value still stands.
    """

    content: bytes
    replaced: int
    kept: dict[str, list[str]]
    omitted: list[str]
    differs: list[str]
    people_left: list[str]


def make(
    content: bytes,
    read: Read,
    people: Collection[str],
    settings: Collection[str],
    form: Form,
    asked: Collection[str] = (),
    first_year: int = 0,
) -> Made:
    """The sample of a document.

    read: what the adapter reads in a document, in a form that is the same for the sample. people: the values it read of
    customers. settings: the words of its settings. asked: names of columns, elements and keys whose values stay.
    first_year: that of the first sale; what is from years before it may be a day of birth.
    Raises UsageError for a document that is too large, or of no form that is known.
    """
    if len(content) > LARGEST:
        raise UsageError(f"is larger than {LARGEST} bytes; cut a few receipts out of it first")
    shapes = Shapes(form.encoding or "utf-8")
    words = frozenset(settings) | _structure(content)
    first = Disguise(shapes, people, words, asked=asked)
    omitted: list[str] = []
    rewrite_document(content, first.learn, words, form, omitted)
    expected = read(content)

    def attempt(kept: Collection[Path]) -> tuple[bytes, Disguise]:
        disguise = Disguise(shapes, people, words, first_year, kept, asked, first.learned())
        return rewrite_document(content, disguise, words, form), disguise

    sample, disguise = attempt(())
    if read(sample) != expected:
        needed = _needed(sorted(disguise.candidates()), lambda kept: read(attempt(kept)[0]) == expected)
        sample, disguise = attempt(needed)
    found = read(sample)
    return Made(
        content=sample,
        replaced=sum(map(len, disguise.replaced.values())),
        kept={_shown(path): sorted(values) for path, values in sorted(disguise.staying.items())},
        omitted=sorted(set(omitted)),
        differs=[] if found == expected else _differences(expected, found),
        people_left=sorted(map(_shown, disguise.people_left())),
    )


def _needed(candidates: list[Path], is_same: Callable[[Collection[Path]], bool]) -> list[Path]:
    """The fewest of the places, by halves and halves of them, that must stay; all where even that is not the same."""
    needed = list(candidates)
    if not is_same(frozenset(needed)):
        return needed
    size = max(1, len(needed) // 2)
    while size:
        at = 0
        while at < len(needed):
            less = needed[:at] + needed[at + size :]
            if is_same(frozenset(less)):
                needed = less
            else:
                at += size
        size //= 2
    return needed


def _differences(expected: tuple[object, ...], found: tuple[object, ...]) -> list[str]:
    """Which records differ, without their values."""
    if len(expected) != len(found):
        return [f"{len(expected)} records became {len(found)}"]
    return [f"record {number}" for number, (a, b) in enumerate(zip(expected, found, strict=True), 1) if a != b]


def _shown(path: Path) -> str:
    return "/".join(path)


def _structure(content: bytes) -> frozenset[str]:
    """The names of the files of an export of many, and of their columns: an index of the files says them as values."""
    names: set[str] = set()
    heads = [found[1] for found in _SECTION.finditer(content)]
    if content[:4] == b"PK\x03\x04" and not _is_workbook(content):
        for info, member in _members(content):
            names |= {info.filename, info.filename.rpartition(".")[0]}
            if info.filename.lower().endswith((".csv", ".txt")):
                heads.append(member.split(b"\n", 1)[0])
    # A first line may be one of persons: only what cannot be a name is one of a column.
    return frozenset(names | {column.decode() for head in heads for column in _COLUMN.findall(head)})


def _is_workbook(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile:
        raise UsageError("is a damaged or truncated zip") from None


def _members(content: bytes) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        if sum(info.file_size for info in files) > LARGEST:
            raise UsageError(f"has more than {LARGEST} bytes unpacked; export less at once")
        for info in files:
            yield info, archive.read(info)


def rewrite_document(
    content: bytes, rewrite: Rewrite, headers: Collection[str], form: Form, omitted: list[str] | None = None
) -> bytes:
    """The document with its values rewritten: XML, JSON, CSV, a workbook, or these in gzip or a zip."""
    if content[:2] == b"\x1f\x8b":
        try:
            inside = gzip.decompress(content)
        except (OSError, EOFError):
            raise UsageError("is a gzip file that is cut or damaged") from None
        return gzip.compress(rewrite_document(inside, rewrite, headers, form, omitted), mtime=0)
    if content[:4] == b"PK\x03\x04":
        if _is_workbook(content):
            return rewrite_workbook(content, rewrite, headers)
        return _rewrite_zip(content, rewrite, headers, form, [] if omitted is None else omitted)
    return _rewrite_text(content, rewrite, headers, form)


def _rewrite_zip(content: bytes, rewrite: Rewrite, headers: Collection[str], form: Form, omitted: list[str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, member in _members(content):
            if not info.filename.lower().endswith(_TEXTS):
                omitted.append(info.filename)
                continue
            name = info.filename.replace("\\", "/").rpartition("/")[2]

            def inside(path: Path, value: str, name: str = name) -> str:
                return rewrite((name, *path), value)

            made = _rewrite_text(member, inside, headers, form)
            archive.writestr(zipfile.ZipInfo(info.filename, info.date_time), made, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _rewrite_text(content: bytes, rewrite: Rewrite, headers: Collection[str], form: Form) -> bytes:
    codec = next((codec for mark, codec in _MARKS if content.startswith(mark)), "")
    declared = _DECLARED.match(content[:200])
    codec = codec or (declared[1].decode() if declared else "") or form.encoding or "utf-8"
    try:
        text = content.decode(codec, "surrogateescape")
    except (LookupError, UnicodeError):
        raise UsageError(f"is not complete {codec}; a sample needs a file that can be read") from None
    start = text.lstrip()[:1]
    if start == "<":
        made = rewrite_xml(text, rewrite)
    elif start in ("{", "["):
        made = rewrite_json(text, rewrite) if not re.match(r"\s*\[[a-z_]+\.(csv|txt)\]", text) else ""
    else:
        made = ""
    if not made:
        made = rewrite_csv(text, rewrite, headers, delimiter=form.delimiter, quote=form.quote)
    return made.encode(codec, "surrogateescape")
