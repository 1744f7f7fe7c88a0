"""Plugins of an installed distribution of their own: settings of every type, and answers that show who was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import attrs

from tillpost import ConfigurationError, Context, Finding, Plugin, Secret, Use, hookimpl, simple
from tillpost.model import (
    Contact,
    Delivered,
    Document,
    FallbackBatch,
    FallbackFile,
    Identified,
    Identifier,
    NoReceipt,
    Outcome,
    Parsed,
    Payload,
    Receipt,
    WrittenFiles,
)


@attrs.frozen(kw_only=True)
class FolderSettings:
    path: Path
    settle: timedelta = timedelta(seconds=2)
    patterns: tuple[str, ...] = ("*",)


class Folder:
    @hookimpl
    def collect_documents(self, accept: Callable[[Document], Mapping[str, int]]) -> int:
        accept(Document.from_bytes("a.txt", b"one\ntwo\n"))
        return 1


folder = simple("A folder", "source", FolderSettings, lambda settings, context: Folder())


@attrs.frozen(kw_only=True)
class LogSettings:
    timezone: ZoneInfo
    loyalty: Literal["externalId", "memberNumber"] = "externalId"
    answer: Literal["right", "wrong", "none", "raise"] = "right"


@attrs.frozen
class Log:
    settings: LogSettings

    @hookimpl
    def parse_receipts(self, document: Document) -> Any:
        if self.settings.answer == "wrong":
            return ["a line"]
        return None if self.settings.answer == "none" else self._records(document)

    def _records(self, document: Document) -> Iterator[Parsed]:
        with document.open() as lines:
            for number, line in enumerate(lines, 1):
                yield NoReceipt(reason=line.decode().strip(), place=f"line {number}", retail=False)
        if self.settings.answer == "raise":
            raise KeyError("Anna")


log = simple("A log", "adapter", LogSettings, lambda settings, context: Log(settings))


def _positive(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if value <= 0:
        raise ValueError("must be above zero")


@attrs.frozen(kw_only=True)
class Window:
    start: str
    end: str = "24:00"


@attrs.frozen(kw_only=True)
class CrmSettings:
    url: str
    api_key: Secret
    rate: float = attrs.field(default=50.0, validator=_positive)
    timeout: timedelta = timedelta(seconds=30)
    keep_alive: bool = True
    limit: Decimal = attrs.field(default=Decimal("0.50"), validator=_positive)
    lines: int | None = None
    headers: dict[str, str] = attrs.field(factory=dict)
    windows: tuple[Window, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not self.url.startswith("http"):
            raise ValueError("url must begin with http:// or https://")


@attrs.frozen(kw_only=True)
class ResolveSettings:
    keys: tuple[str, ...] = ("externalId",)
    create: bool = False


@attrs.frozen(kw_only=True)
class NoSettings:
    price_basis: Literal["line", "unit"] = "line"


@attrs.frozen
class Resolver:
    number: int
    keys: tuple[str, ...]

    @hookimpl
    def resolve_contact(self, contact: Contact) -> Identified | None:
        known = any(contact.identifier(kind) for kind in self.keys)
        return Identified(contact_id=f"resolver {self.number}") if known else None


class Mapper:
    @hookimpl
    def map_receipt(self, receipt: Receipt, match: Identifier) -> Payload:
        return Payload(receipt_id=receipt.id, match=match, fields={"total": receipt.total})


@attrs.frozen
class Transport:
    settings: CrmSettings

    @hookimpl
    def deliver(self, payload: Payload) -> Outcome:
        return Delivered(status=201, reason=self.settings.url)

    @hookimpl
    def probe(self) -> Outcome:
        return Delivered(status=200)


BUILDS: list[str] = []


def _build_crm(uses: Sequence[Use], context: Context) -> list[object]:
    BUILDS.append(context.pipeline)
    objects: list[object] = []
    for number, use in enumerate(uses):
        if use.slot == "resolve":
            objects.append(Resolver(number, use.settings.keys))
        else:
            objects.append(Mapper() if use.slot == "map" else Transport(use.settings))
    return objects


crm = Plugin(
    summary="A CRM",
    slots={"resolve": ResolveSettings, "map": NoSettings, "transport": CrmSettings},
    build=_build_crm,
)


@attrs.frozen(kw_only=True)
class FileSettings:
    max_lines: int = attrs.field(default=20000, validator=_positive)


class File:
    @hookimpl
    def match_in_file(self, contact: Contact) -> Identifier | None:
        return contact.identifier("externalId")

    @hookimpl
    def write_files(self, batch: FallbackBatch) -> WrittenFiles:
        return WrittenFiles(files=())


file = simple("Files", "fallback", FileSettings, lambda settings, context: File())


@attrs.frozen(kw_only=True)
class SftpSettings:
    host: str
    host_key: str
    password: Secret | None = None


class Sftp:
    @hookimpl
    def transfer(self, file: FallbackFile) -> Outcome:
        return Delivered()

    @hookimpl
    def find_transferred(self, file: FallbackFile) -> bool:
        return False


def _sftp(settings: SftpSettings, context: Context) -> object:
    if not settings.host_key.startswith("ssh-"):
        raise ConfigurationError(
            Finding(key="transfer.host_key", message="is no SSH public key.", next_step="Copy the server's line.")
        )
    return Sftp()


sftp = simple("SFTP", "transfer", SftpSettings, _sftp)


@attrs.frozen(kw_only=True)
class AmendSettings:
    word: str


@attrs.frozen
class Amend:
    word: str

    @hookimpl
    def amend_payload(self, payload: Payload, receipt: Receipt) -> Payload | None:
        if self.word == "keep":
            return None
        if self.word == "other id":
            return attrs.evolve(payload, receipt_id="other")
        said = payload.fields.get("said", "")
        return attrs.evolve(payload, fields={**payload.fields, "said": f"{said}{self.word} "})

    @hookimpl
    def observe(self, event: Mapping[str, Any]) -> None:
        if self.word == "raise":
            raise RuntimeError(self.word)


amend = Plugin(
    summary="A team's last word",
    slots={"amend": AmendSettings, "observe": AmendSettings},
    build=lambda uses, context: [Amend(use.settings.word) for use in uses],
)

not_a_plugin = {"summary": "a dict"}


class Misspelt(Folder):
    @hookimpl
    def collect_document(self) -> None: ...


class Lacking: ...


misspelt = simple("A misspelt hook", "source", NoSettings, lambda settings, context: Misspelt())
lacking = simple("No hooks", "source", NoSettings, lambda settings, context: Lacking())


@attrs.frozen(kw_only=True)
class UnreadableSettings:
    path: NobodyKnowsThisType  # type: ignore[name-defined] # noqa: F821


unreadable = simple("Settings of no known type", "source", UnreadableSettings, lambda settings, context: Folder())
