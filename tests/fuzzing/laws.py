"""What must hold of every document, whatever stands in it."""

from __future__ import annotations

import contextlib
import re
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from tests.fuzzing.seeds import Target
from tillpost import DocumentError, TillpostError
from tillpost.model import Broken, Document, Found, Identifier, NoReceipt, Parsed, RawRef, Receipt
from tillpost.model.contradictions import contradictions
from tillpost.model.receipt_json import dumps, loads
from tillpost_engage.payload import Mapping
from tillpost_engage.settings import MapSettings

SECONDS, SECONDS_A_BYTE = 0.5, 50e-6
"""Time of the processor that a document may take: this much, and so much for each byte."""
OF_DOCUMENTS = ("encoding-guessed", "control-characters", "decimal-mark")
"""Flags that a receipt has of its document, which its own record does not have."""
_MAPPING = Mapping(MapSettings())
_MATCH = Identifier("externalId", "K-1")


@attrs.frozen
class Breach:
    """A law that does not hold, by a name, and how; the same for documents that break it alike."""

    law: str
    what: str


@attrs.frozen
class Answer:
    """What an adapter made of a document: its records, and the text of the DocumentError that ended them."""

    records: list[Parsed]
    error: str | None


def ask(target: Target, content: bytes) -> Answer:
    """The answer of an adapter. Raises what is no documented outcome."""
    records: list[Parsed] = []
    try:
        for record in target.adapter.parse_receipts(_document(content)):
            records.append(record)  # noqa: PERF402 - what stood before an error counts
    except DocumentError as error:
        return Answer(records, str(error))
    return Answer(records, None)


def _document(content: bytes) -> Document:
    return Document.from_bytes("fuzz", content)


def judge(
    target: Target, content: bytes, canaries: frozenset[str] = frozenset(), *, deep: bool = True
) -> Iterator[Breach]:
    """The laws that a document breaks. deep: also those that read it again."""
    begun = time.process_time()
    try:
        answer = ask(target, content)
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        yield Breach("outcome", _place(error))
        return
    took = time.process_time() - begun
    if took > SECONDS + SECONDS_A_BYTE * len(content):
        yield Breach("time", f"{took / max(1, len(content)) * 1e6:.0f} microseconds a byte")
    yield from _of_records(answer, canaries)
    if not deep:
        return
    try:
        if _comparable(ask(target, content)) != _comparable(answer):
            yield Breach("deterministic", "the second reading differs from the first")
        found = [record for record in answer.records if isinstance(record, Found)]
        for record in found[:3]:
            yield from _of_receipt(record.receipt)
            yield from _read_again(target, record)
        ids = {record.receipt.id for record in found}
        for held in [record for record in answer.records if isinstance(record, Broken)][:2]:
            again = ask(target, held.raw).records if held.raw else []
            # A refund cut out of its order has its numbers as texts, so that what is to be text is one then.
            if "must be text, and is a number" in held.reason:
                continue
            if any(isinstance(record, Found) and record.receipt.id not in ids for record in again):
                yield Breach("held", f"read again alone it is a receipt: {_general(held.reason)}")
    except Exception as error:  # noqa: BLE001 - as above
        yield Breach("outcome", _place(error))


def _of_records(answer: Answer, canaries: frozenset[str]) -> Iterator[Breach]:
    texts = [answer.error or ""]
    for record in answer.records:
        if isinstance(record, Broken):
            texts.append(record.reason)
            if not record.reason or not record.place:
                yield Breach("held", "a reason or a place is empty")
            if len(record.reason) > 1000:
                yield Breach("held", "a reason of more than 1000 characters")
        elif isinstance(record, NoReceipt):
            texts.append(record.reason)
        elif not isinstance(record, Found):
            yield Breach("outcome", f"a record is {type(record).__name__}")
    for text in texts:
        if any(canary in text for canary in canaries):
            yield Breach("leak", f"who bought stands in a message: {_general(text, canaries)}")


def _of_receipt(receipt: Receipt) -> Iterator[Breach]:
    written = dumps(receipt)
    if loads(written) != receipt:
        yield Breach("receipt", "written and read again it is another")
    contradictions(receipt)
    with contextlib.suppress(TillpostError):  # held at its own step, with a reason
        _MAPPING.map_receipt(receipt, _MATCH)


def _read_again(target: Target, record: Found) -> Iterator[Breach]:
    """The record kept of a receipt is a document of its own that gives the same receipt."""
    again = [other.receipt for other in ask(target, record.raw).records if isinstance(other, Found)]
    if not any(_plain(receipt) == _plain(record.receipt) for receipt in again):
        yield Breach(
            "kept", "the record kept of a receipt gives another receipt" if again else "the record kept gives none"
        )


def _plain(receipt: Receipt) -> Receipt:
    """Without its place, and the flags of what no record keeps: its document's encoding, marks and bad characters."""
    flags = tuple(flag for flag in receipt.flags if flag not in OF_DOCUMENTS)
    return attrs.evolve(receipt, raw=RawRef(sha256="", document=""), flags=flags)


def _comparable(answer: Answer) -> tuple[object, ...]:
    return answer.records, answer.error


def neighbours(alone: Callable[[bytes], Answer], first: bytes, last: bytes, joined: Answer) -> Iterator[Breach]:
    """A damaged record between two good ones takes neither with it, and is not dropped itself."""
    before, after = alone(first), alone(last)
    wanted = [figures(record.receipt) for record in (*before.records, *after.records) if isinstance(record, Found)]
    given = [figures(record.receipt) for record in joined.records if isinstance(record, Found)]
    if joined.error is None:
        missing = [each for each in wanted if given.count(each) < wanted.count(each)]
        if missing:
            yield Breach("neighbours", "a good receipt beside a damaged record is not read")
        if len(joined.records) <= len(before.records) + len(after.records):
            yield Breach("dropped", "a damaged record is in no outcome")


def figures(receipt: Receipt) -> tuple[object, ...]:
    """What a receipt says, without where it stood."""
    return receipt.id, receipt.total, receipt.lines, receipt.tenders, receipt.customer


def _place(error: Exception) -> str:
    """Class and place of an error: the last frame of ours."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "tillpost" in frame.filename]
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).parent.name}/{Path(last.filename).name}:{last.lineno}"


def _general(text: str, canaries: frozenset[str] = frozenset()) -> str:
    """A message without its values, so that two of a kind are one."""
    for canary in canaries:
        text = text.replace(canary, "CANARY")
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", text)
    return re.sub(r"[-\d.,]*\d[-\d.,]*", "9", text)[:70]
