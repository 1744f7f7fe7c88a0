"""The import folder: SFTP as a client sees it, and the rules of section 3."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncssh
import pytest

from tillpost_sandbox import Sandbox
from tillpost_sandbox.files import is_import_name

if TYPE_CHECKING:
    from tests.plugins.tillpost_sandbox.conftest import Client

RECEIPTS = "http://voyado.Schemas.ImportReceipts"
MEMBERS = "http://eClub.Schemas.ImportMember"
RECEIPTS_FILE = "20260301123000_600_transactions.xml"
CONTACTS_FILE = "20260301123000_600_contacts.xml"

Work = Callable[[asyncssh.SFTPClient], Coroutine[Any, Any, None]]


def sftp(sandbox: Sandbox, work: Work, password: str | None = None) -> None:
    """Do something over SFTP with the sandbox's own host key as the only known one."""

    async def session() -> None:
        known = asyncssh.import_known_hosts(f"[127.0.0.1]:{sandbox.sftp_port} {sandbox.host_key}\n")
        async with (
            asyncssh.connect(
                "127.0.0.1",
                sandbox.sftp_port,
                username=sandbox.user,
                password=password or sandbox.password,
                known_hosts=known,
                client_keys=None,
                config=None,
            ) as connection,
            connection.start_sftp_client() as client,
        ):
            await work(client)

    asyncio.run(session())


def put(name: str, content: bytes) -> Work:
    async def work(client: asyncssh.SFTPClient) -> None:
        async with client.open(name, "wb") as file:
            await file.write(content)

    return work


def drop(sandbox: Sandbox, name: str, content: str | bytes) -> Path:
    """Put a file into the folder its name belongs to, as a finished upload leaves it."""
    folder = "contactImport" if name.endswith("contacts.xml") else "transactionImport"
    path = sandbox.dir / "sftp" / "integration" / folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def transaction(
    unique_id: str = "f-1", key: str = "a@b.se", kind: str = "email", price: str = "175.50", extra: str = ""
) -> str:
    return f"""<transaction>
      <contact><matchKey>{key}</matchKey><matchKeyType>{kind}</matchKeyType></contact>
      <uniqueReceiptId>{unique_id}</uniqueReceiptId><receiptNumber>1001</receiptNumber>
      <createdDate>2026-03-01T12:30:00+01:00</createdDate><storeExternalId>600</storeExternalId>
      <currency>SEK</currency><totalGrossPrice>{price}</totalGrossPrice>
      <paymentMethods><paymentMethod><type>card</type><value>{price}</value>
        <extraData><item name="cardIssuer">x</item></extraData></paymentMethod></paymentMethods>
      <items><item><type>PURCHASE</type><sku>sku-1</sku><quantity>1</quantity>
        <grossPaidPrice>{price}</grossPaidPrice><taxAmount>35.10</taxAmount><taxPercent>25</taxPercent>
        <articleNumber>a-1</articleNumber><articleName>Scarf</articleName>
        <discounts><discount><type>x</type><value>-1.00</value></discount></discounts></item></items>{extra}
    </transaction>"""


def transactions(*inner: str, head: str = "", namespace: str = RECEIPTS) -> str:
    return f'{head}<transactions xmlns="{namespace}">{"".join(inner)}</transactions>'


def members(new: str = "", updated: str = "") -> str:
    return f'<contacts xmlns="{MEMBERS}"><new>{new}</new><updated>{updated}</updated></contacts>'


def test_an_upload_is_imported_deleted_and_gives_no_id_back(client: "Client") -> None:
    contact = client.contact(email="a@b.se")
    work = put(f"/integration/transactionImport/{RECEIPTS_FILE}", transactions(transaction()).encode())
    sftp(client.sandbox, work)
    client.control("POST", "import", {})
    (held,) = client.control("GET", "receipts")
    assert (held["route"], held["file"], held["contactId"]) == ("file", RECEIPTS_FILE, contact)
    assert held["totalGrossPrice"] == "175.50"

    async def look(session: asyncssh.SFTPClient) -> None:
        for folder in ("transactionImport", "contactImport", "customerExport"):
            assert sorted(await session.listdir(f"/integration/{folder}")) == [".", ".."]

    sftp(client.sandbox, look)
    assert client.kinds() == ["file-imported"]


def test_contacts_of_a_reading_go_before_its_receipts(client: "Client") -> None:
    drop(client.sandbox, RECEIPTS_FILE, transactions(transaction()))
    new = "<member><email>a@b.se</email><preferences><acceptsSms>true</acceptsSms></preferences></member>"
    drop(client.sandbox, CONTACTS_FILE, members(new))
    client.control("POST", "import", {})
    (contact,) = client.control("GET", "contacts")
    assert (contact["origin"], contact["preferences"]) == ("file", {"acceptsSms": True})
    assert client.control("GET", "receipts")[0]["contactId"] == contact["id"]


def test_a_receipt_whose_contact_is_missing_is_only_in_the_log(client: "Client") -> None:
    client.contact(email="a@b.se")
    drop(client.sandbox, RECEIPTS_FILE, transactions(transaction("lost", key="n@b.se"), transaction("kept")))
    client.control("POST", "import", {})
    assert [held["uniqueReceiptId"] for held in client.control("GET", "receipts")] == ["kept"]
    assert client.kinds() == ["contact-missing", "file-imported"]


def test_a_receipt_that_came_by_both_routes_is_one(client: "Client", receipt: Any, line: Any) -> None:
    client.contact(email="a@b.se")
    item = line(discounts=[{"type": "x", "value": -1}])
    card = {"type": "card", "value": 175.5, "extraData": [{"name": "cardIssuer", "value": "x"}]}
    client.send("POST", "/api/v3/receipts", receipt("f-1", items=[item], paymentMethods=[card]))
    client.control("POST", "import", {})
    drop(client.sandbox, RECEIPTS_FILE, transactions(transaction(), transaction(price="1.00")))
    client.control("POST", "import", {})
    (held,) = client.control("GET", "receipts")
    assert (held["route"], held["ignoredDuplicates"], held["ignoredDifferent"]) == ("api", 2, 1)


LINES = "<item><type>PURCHASE</type></item>" * 20_001
GOOD = transactions(transaction())


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("partial", b""),
        ("partial", GOOD.encode()[: len(GOOD) // 2]),
        ("partial", GOOD.encode()[:-5]),
        ("partial", "<transactions>Å".encode()[:-1]),
        ("not-well-formed", GOOD.replace("</items>", "").encode()),
        ("doctype", b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + GOOD.encode()),
        ("wrong-root", transactions(transaction(), namespace="http://elsewhere").encode()),
        ("wrong-root", b"<transactions/>"),
        ("not-utf-8", GOOD.replace("Scarf", "Hållare").encode("latin-1")),
        ("not-utf-8", b'<?xml version="1.0" encoding="ISO-8859-1"?>' + GOOD.encode()),
        ("not-valid", f'<transactions xmlns="{RECEIPTS}"><receipt/></transactions>'.encode()),
        ("mixed-match-key-types", transactions(transaction(), transaction("f-2", "7", "externalId")).encode()),
        ("too-large", transactions(f"<transaction><items>{LINES}</items></transaction>").encode()),
    ],
)
def test_a_major_error_skips_the_whole_file(client: "Client", kind: str, content: bytes) -> None:
    client.contact(email="a@b.se")
    path = drop(client.sandbox, RECEIPTS_FILE, content)
    client.control("POST", "import", {})
    assert client.control("GET", "receipts") == []
    assert client.kinds() == [kind]
    assert not path.exists()
    assert (client.sandbox.dir / "rejected" / RECEIPTS_FILE).read_bytes() == content


def test_a_bad_receipt_is_skipped_alone_and_order_is_noted(client: "Client") -> None:
    client.contact(email="a@b.se")
    bad = transaction("bad").replace("<quantity>1</quantity>", "<quantity>one</quantity>")
    twice = transaction("twice", extra="<currency>EUR</currency>")
    late = transaction("late", extra="<exchangeRateToGroupCurrency>1.0</exchangeRateToGroupCurrency>")
    drop(client.sandbox, RECEIPTS_FILE, transactions(bad, twice, late))
    client.control("POST", "import", {})
    assert [held["uniqueReceiptId"] for held in client.control("GET", "receipts")] == ["late"]
    noted = [(entry["kind"], entry["receipt"]) for entry in client.control("GET", "log")]
    invalid, order = "receipt-invalid", "element-order"
    assert noted == [(invalid, "bad"), (invalid, "twice"), (order, "late"), ("file-imported", None)]


def test_contacts_are_validated_one_by_one_and_field_by_field(client: "Client") -> None:
    known = client.contact(externalId="77", city="Lund")
    new = (
        "<member><email>a@b.se</email><mobilePhone>070</mobilePhone></member>"
        "<contact><firstName>No key</firstName></contact>"
        "<contact><email>broken</email></contact>"
        "<contact><externalId>77</externalId><city>Oslo</city></contact>"
    )
    updated = (
        "<member><externalId>77</externalId><city>Ystad</city></member>"
        "<member><externalId>78</externalId><city>Ystad</city></member>"
    )
    drop(client.sandbox, CONTACTS_FILE, members(new, updated))
    client.control("POST", "import", {})
    by_id = {contact["id"]: contact["attributes"] for contact in client.control("GET", "contacts")}
    assert by_id.pop(known) == {"externalId": "77", "city": "Ystad"}
    assert list(by_id.values()) == [{"email": "a@b.se"}]
    log = client.control("GET", "log")
    assert log[-1]["message"] == "1 contacts new, 1 contacts updated, 1 contacts existing, 3 contacts skipped"
    assert client.kinds().count("contact-skipped") == 3
    assert "broken" not in str(log)


def test_an_import_can_leave_out_fields_without_a_word(client: "Client") -> None:
    client.control("POST", "settings", {"import_drops": ["firstName"]})
    member = "<new><member><email>a@b.se</email><firstName>Ann</firstName><city>Lund</city></member></new>"
    drop(client.sandbox, CONTACTS_FILE, f'<contacts xmlns="{MEMBERS}">{member}</contacts>')
    client.control("POST", "import", {})
    (held,) = client.control("GET", "contacts")
    assert held["attributes"] == {"email": "a@b.se", "city": "Lund"}
    assert {entry["level"] for entry in client.control("GET", "log")} == {"info"}


def test_root_and_namespace_of_a_contacts_file_are_settings(client: "Client") -> None:
    content = '<members xmlns="urn:m"><new><contact><email>a@b.se</email></contact></new></members>'
    client.control("POST", "settings", {"contacts_root": "members", "contacts_namespace": "urn:m"})
    drop(client.sandbox, CONTACTS_FILE, content)
    client.control("POST", "import", {})
    assert len(client.control("GET", "contacts")) == 1


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        ("20220808134729_471_transactions.xml", True),
        ("20220808134729_store_a-1_transactions.xml", True),
        ("20220808134729_471_transactions.xml.part", False),
        (".20220808134729_471_transactions.xml", False),
        ("20220808134729_471_contacts.xml", False),
        ("20221308134729_471_transactions.xml", False),
        ("20220808134729_transactions.xml", False),
        ("2022080813472_471_transactions.xml", False),
    ],
)
def test_only_names_of_the_contract_are_read(name: str, is_read: bool) -> None:
    assert is_import_name(name, "transactions") is is_read


def test_other_names_and_other_folders_stay(client: "Client") -> None:
    inbox = client.sandbox.dir / "sftp" / "integration" / "transactionImport"
    for name in ("upload.tmp", CONTACTS_FILE):
        (inbox / name).write_bytes(b"<")
    client.control("POST", "import", {})
    assert sorted(path.name for path in inbox.iterdir()) == sorted([CONTACTS_FILE, "upload.tmp"])
    assert client.kinds() == []


def test_a_cut_upload_leaves_its_first_part(client: "Client") -> None:
    content = GOOD.encode()
    name = f"/integration/transactionImport/{RECEIPTS_FILE}"
    client.faults(sftp="cut", count=1)
    with pytest.raises((asyncssh.Error, OSError)):
        sftp(client.sandbox, put(name, content))
    left = client.sandbox.dir / "sftp" / "integration" / "transactionImport" / RECEIPTS_FILE
    assert left.read_bytes() == content[: len(content) // 2]
    client.control("POST", "import", {})
    assert client.kinds() == ["partial"]
    sftp(client.sandbox, put(name, content))
    assert left.read_bytes() == content


def test_a_cut_can_wait_for_a_number_of_bytes(client: "Client") -> None:
    client.faults(sftp="cut", after=50_000)
    with pytest.raises((asyncssh.Error, OSError)):
        sftp(client.sandbox, put("/integration/transactionImport/a.tmp", b"x" * 200_000))
    left = client.sandbox.dir / "sftp" / "integration" / "transactionImport" / "a.tmp"
    assert 0 < left.stat().st_size < 200_000
    sftp(client.sandbox, put("/integration/transactionImport/b.tmp", b"x" * 1000))


def test_refused_sftp_comes_back_on_the_same_port(client: "Client") -> None:
    port = client.sandbox.sftp_port
    client.faults(sftp="refuse")
    with pytest.raises(ConnectionRefusedError):
        sftp(client.sandbox, put("/a.tmp", b"x"))
    client.faults(sftp="ok")
    sftp(client.sandbox, put("/a.tmp", b"x"))
    assert client.sandbox.sftp_port == port


def test_the_password_counts_and_the_home_is_a_cage(client: "Client") -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        sftp(client.sandbox, put("/a.tmp", b"x"), password="wrong")
    sftp(client.sandbox, put("/../../a.tmp", b"x"))
    assert (client.sandbox.dir / "sftp" / "a.tmp").exists()
    assert not (client.sandbox.dir / "a.tmp").exists()


def test_a_rename_after_the_upload_is_possible(client: "Client") -> None:
    client.contact(email="a@b.se")

    async def work(session: asyncssh.SFTPClient) -> None:
        folder = "/integration/transactionImport/"
        async with session.open(folder + "x.part", "wb") as file:
            await file.write(GOOD.encode())
        assert (await session.stat(folder + "x.part")).size == len(GOOD.encode())
        await session.posix_rename(folder + "x.part", folder + RECEIPTS_FILE)

    sftp(client.sandbox, work)
    client.control("POST", "import", {})
    assert client.control("GET", "stats")["receipts_file"] == 1
