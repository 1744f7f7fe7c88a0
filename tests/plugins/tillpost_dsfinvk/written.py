"""DSFinV-K exports as a till writes them, made up: rows as short texts, as a zip or as one text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping

import attrs

COLUMNS = {
    "cashpointclosing": "Z_KASSE_ID Z_ERSTELLUNG Z_NR Z_BUCHUNGSTAG TAXONOMIE_VERSION Z_START_ID Z_ENDE_ID NAME STRASSE"
    " PLZ ORT LAND STNR USTID Z_SE_ZAHLUNGEN Z_SE_BARZAHLUNGEN",
    "location": "Z_KASSE_ID Z_ERSTELLUNG Z_NR LOC_NAME LOC_STRASSE LOC_PLZ LOC_ORT LOC_LAND LOC_USTID",
    "cashregister": "Z_KASSE_ID Z_ERSTELLUNG Z_NR KASSE_BRAND KASSE_MODELL KASSE_SERIENNR KASSE_SW_BRAND"
    " KASSE_SW_VERSION KASSE_BASISWAEH_CODE KEINE_UST_ZUORDNUNG",
    "vat": "Z_KASSE_ID Z_ERSTELLUNG Z_NR UST_SCHLUESSEL UST_SATZ UST_BESCHR",
    "references": "Z_KASSE_ID Z_ERSTELLUNG Z_NR BON_ID POS_ZEILE REF_TYP REF_NAME REF_DATUM REF_Z_KASSE_ID REF_Z_NR"
    " REF_BON_ID",
    "itemamounts": "Z_KASSE_ID Z_ERSTELLUNG Z_NR BON_ID POS_ZEILE TYP UST_SCHLUESSEL PF_BRUTTO PF_NETTO PF_UST",
    "transactions": "Z_KASSE_ID Z_ERSTELLUNG Z_NR BON_ID BON_NR BON_TYP BON_NAME TERMINAL_ID BON_STORNO BON_START"
    " BON_ENDE BEDIENER_ID BEDIENER_NAME UMS_BRUTTO KUNDE_NAME KUNDE_ID KUNDE_TYP KUNDE_STRASSE KUNDE_PLZ KUNDE_ORT"
    " KUNDE_LAND KUNDE_USTID BON_NOTIZ",
    "transactions_vat": "Z_KASSE_ID Z_ERSTELLUNG Z_NR BON_ID UST_SCHLUESSEL BON_BRUTTO BON_NETTO BON_UST",
    "lines": "Z_KASSE_ID Z_ERSTELLUNG Z_NR BON_ID POS_ZEILE GUTSCHEIN_NR ARTIKELTEXT POS_TERMINAL_ID GV_TYP GV_NAME"
    " INHAUS P_STORNO AGENTUR_ID ART_NR GTIN WARENGR_ID WARENGR MENGE FAKTOR EINHEIT STK_BR",
    "lines_vat": "Z_KASSE_ID Z_ERSTELLUNG Z_NR BON_ID POS_ZEILE UST_SCHLUESSEL POS_BRUTTO POS_NETTO POS_UST",
    "datapayment": "Z_KASSE_ID Z_ERSTELLUNG Z_NR BON_ID ZAHLART_TYP ZAHLART_NAME ZAHLWAEH_CODE ZAHLWAEH_BETRAG"
    " BASISWAEH_BETRAG",
}
SUMS = {
    "payment": "Z_KASSE_ID Z_ERSTELLUNG Z_NR ZAHLART_TYP ZAHLART_NAME Z_ZAHLART_BETRAG",
    "businesscases": "Z_KASSE_ID Z_ERSTELLUNG Z_NR GV_TYP GV_NAME AGENTUR_ID UST_SCHLUESSEL Z_UMS_BRUTTO Z_UMS_NETTO"
    " Z_UST",
}
"""Table → its columns in the standard's order; the tables in the order in which the text form has them here."""


@attrs.define
class Written:
    """An export of one till and closing, row by row. decimal: the mark in the numbers that are given with a comma."""

    till: str = "3"
    closing: str = "7"
    decimal: str = ","
    rows: dict[str, list[dict[str, str]]] = attrs.field(factory=lambda: {name: [] for name in (*COLUMNS, *SUMS)})

    def __attrs_post_init__(self) -> None:
        self.master()

    def master(self, *, location: str = "Laden Mitte", currency: str = "EUR", day: str = "") -> None:
        """The rows of the closing, again with other values."""
        for name in ("cashpointclosing", "location", "cashregister"):
            own = (self.till, self.closing)
            self.rows[name] = [row for row in self.rows[name] if (row["Z_KASSE_ID"], row["Z_NR"]) != own]
        self.add("cashpointclosing", TAXONOMIE_VERSION="2.3", NAME="Musterladen GmbH", LAND="DEU", Z_BUCHUNGSTAG=day)
        self.add("location", LOC_NAME=location, LOC_LAND="DEU")
        self.add("cashregister", KASSE_BRAND="Muster", KASSE_SW_BRAND="Musterkasse", KASSE_BASISWAEH_CODE=currency)

    def add(self, table: str, **cells: str) -> Written:
        """One more row; what is not given is empty."""
        keys = {"Z_KASSE_ID": self.till, "Z_ERSTELLUNG": "2026-03-14T20:00:00", "Z_NR": self.closing}
        self.rows[table].append(keys | cells)
        return self

    def vat(self, key: str, percent: str) -> Written:
        """A row of vat.csv."""
        return self.add("vat", UST_SCHLUESSEL=key, UST_SATZ=percent, UST_BESCHR=f"Satz {percent}")

    def head(
        self, bon: str, total: str, *, at: str = "2026-03-14T15:30:00", kind: str = "Beleg", **cells: str
    ) -> Written:
        """The head of a receipt."""
        given = {"BON_NR": bon, "BON_STORNO": "0", "BON_START": at, "BON_ENDE": at, "BEDIENER_ID": "1"}
        return self.add("transactions", BON_ID=bon, BON_TYP=kind, UMS_BRUTTO=total, **given | cells)

    def line(
        self, bon: str, at: str, sku: str, quantity: str, gross: str, *, tax: str = "", key: str = "1", **cells: str
    ) -> Written:
        """A position and its amounts; without `gross` it has no row in lines_vat.csv."""
        given = {"ARTIKELTEXT": f"Article {sku}", "GV_TYP": "Umsatz", "P_STORNO": "0", "AGENTUR_ID": "0", "ART_NR": sku}
        self.add("lines", BON_ID=bon, POS_ZEILE=at, MENGE=quantity, **given | cells)
        if gross:
            self.add("lines_vat", BON_ID=bon, POS_ZEILE=at, UST_SCHLUESSEL=key, POS_BRUTTO=gross, POS_UST=tax)
        return self

    def pay(self, bon: str, kind: str, amount: str, **cells: str) -> Written:
        """A payment."""
        given = {"ZAHLART_NAME": kind, "ZAHLWAEH_CODE": "EUR"}
        return self.add("datapayment", BON_ID=bon, ZAHLART_TYP=kind, BASISWAEH_BETRAG=amount, **given | cells)

    def closed(self, *, payments: str = "", cash: str = "") -> Written:
        """The sums in the row of the closing."""
        [row] = [
            row
            for row in self.rows["cashpointclosing"]
            if (row["Z_KASSE_ID"], row["Z_NR"]) == (self.till, self.closing)
        ]
        row |= {"Z_SE_ZAHLUNGEN": payments, "Z_SE_BARZAHLUNGEN": cash}
        return self

    def csv(self, table: str) -> str:
        """One file."""
        names = {**COLUMNS, **SUMS}[table].split()
        rows = [";".join(_cell(self._number(row.get(name, ""), name)) for name in names) for row in self.rows[table]]
        return "\r\n".join([";".join(names), *rows, ""])

    def _number(self, written: str, name: str) -> str:
        money = name in ("MENGE", "FAKTOR", "STK_BR", "UST_SATZ") or "BRUTTO" in name or name.endswith(("NETTO", "UST"))
        is_number = money or name.endswith(("BETRAG", "ZAHLUNGEN"))
        return written.replace(",", self.decimal) if is_number else written

    def text(self) -> bytes:
        """All files in one text."""
        parts = [f'DSFinV-K decimal={self.decimal} delimiter=; quote="\n']
        parts += [f"[{name}.csv]\n{self.csv(name)}" for name in COLUMNS]
        return "".join(parts).encode()

    def zip(self, *, without: Iterable[str] = (), index: str | None = None, **files: bytes) -> bytes:
        """The files as a zip with an index."""
        names = [*COLUMNS, *(name for name in SUMS if self.rows[name])]
        members = {f"{name}.csv": self.csv(name).encode() for name in names if name not in without}
        if index != "":
            members["index.xml"] = (index or index_xml()).encode()
        return packed(members | {name.replace("__", "."): content for name, content in files.items()})


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ';"\n\r') else text


def packed(members: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 3, 14, 20, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files of a text form or of a zip."""
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    parts = content.split(b"\n[")[1:]
    found = {}
    for part in parts:
        name, _, rest = part.partition(b"]\n")
        found[name.decode()] = rest + b"\n"
    return found


def index_xml(
    *,
    codec: str = "UTF8",
    decimal: str = ",",
    grouping: str = ".",
    delimiter: str = ";",
    first: int = 2,
    names: str = "",
) -> str:
    """An index of all files as the standard's looks, with its DOCTYPE."""
    tables = "".join(
        f"<Table><URL>{name}.csv</URL><Name>{name}</Name><Description>{name}</Description><{codec}/>"
        f"<DecimalSymbol>{decimal}</DecimalSymbol><DigitGroupingSymbol>{grouping}</DigitGroupingSymbol>"
        f"<Range><From>{first}</From></Range><VariableLength><ColumnDelimiter>{delimiter}</ColumnDelimiter>"
        "<RecordDelimiter>&#13;&#10;</RecordDelimiter><TextEncapsulator>&#34;</TextEncapsulator>"
        + "".join(
            f"<VariableColumn><Name>{column}</Name><AlphaNumeric/></VariableColumn>" for column in columns.split()
        )
        + "</VariableLength></Table>"
        for name, columns in COLUMNS.items()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE DataSet SYSTEM "gdpdu-01-09-2004.dtd">\n'
        f"<DataSet><Version>1.0</Version><DataSupplier><Name>Muster{names}</Name></DataSupplier>"
        f"<Media><Name>Kasse</Name>{tables}</Media></DataSet>"
    )
