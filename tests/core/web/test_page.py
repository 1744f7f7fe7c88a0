"""The status page over a socket: what it shows, who may, and what it never tells."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import attrs
import pytest

from tests.support.lines import make_line
from tests.support.program import free_ports
from tests.support.receipts import DOCUMENT, found
from tillpost.clock import SystemClock
from tillpost.errors import JournalError, TillpostError
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.line import Line
from tillpost.journal import Accepted, FileServer, Journal, Move, Refusal, State
from tillpost.model import Broken, Found, Parsed
from tillpost.web import overview
from tillpost.web.server import serving
from tillpost.web.site import open_site
from tillpost.web.token import Token

SECRET = "eva@example.org"
BROKEN = Broken(raw=b'{"mail": "eva@example.org", "x": 1', reason="no JSON", place="line 9", number="77", store="12")


def line_of(journal: Journal, name: str = "shop") -> Line:
    reads: list[Parsed] = [Found(receipt=found(number="77").receipt, raw=b"{}")]
    hooks = HookCalls(callers={"parse_receipts": [("adapter", lambda document: iter(reads))]})
    return make_line(journal, hooks, name=name)


@attrs.frozen
class Said:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    text: str


@attrs.define
class Site:
    """A page being served, and a browser without eyes."""

    line: Line
    state: Path
    host: str
    port: int
    cookie: str = ""

    def ask(self, method: str, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Said:
        """One request."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            sent.setdefault("Cookie", self.cookie)
        body = None
        if form is not None:
            body = urlencode(form)
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection = HTTPConnection(self.host, self.port, timeout=20)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Said(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Said:
        """A page."""
        return self.ask("GET", path, None, **headers)

    def enter(self) -> None:
        """The token is entered, the cookie kept."""
        token = (self.state / "status.token").read_text().strip()
        said = self.ask("POST", "/sign-in", {"token": token, "after": "/files"})
        assert (said.status, said.headers["Location"]) == (303, "/files")
        assert "HttpOnly" in said.headers["Set-Cookie"]
        assert "SameSite=Strict" in said.headers["Set-Cookie"]
        assert token not in said.headers["Set-Cookie"]
        self.cookie = said.headers["Set-Cookie"].partition(";")[0]

    def act(self, path: str, **form: str) -> Said:
        """A form of a page, sent as its page has it."""
        carried = re.search(r'name="form" value="([0-9a-f]{64})"', self.get("/").text)
        assert carried is not None
        return self.ask("POST", path, {"form": carried[1], **form})


def fill(journal: Journal) -> None:
    now = time.time()
    journal.receipts.accept(
        [*(found(number=str(number), customer=SECRET) for number in range(3)), BROKEN], DOCUMENT, None, now, Accepted()
    )
    (entry,) = journal.receipts.find({"number": "2"})
    journal.receipts.settle([(entry.seq, Move(state=State.HELD, reason="refused: <b>no</b> store"))], now, "deliver")
    journal.destination.put(
        attrs.evolve(journal.destination.get(), state="degraded", reason="no answer", since=now - 200), now
    )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    journal = Journal(tmp_path / "state" / "shop")
    fill(journal)
    line = line_of(journal)
    (port,) = free_ports(1)
    with serving(f"127.0.0.1:{port}", lambda: [line], tmp_path / "state"):
        yield Site(line, tmp_path / "state", "127.0.0.1", port)
    journal.close()


def id_of(number: str) -> str:
    return found(number=number).receipt.id


PAGES = ("/", "/receipts", "/receipts?state=held", "/files", "/contacts", "/sign-in", f"/receipts/{id_of('1')}")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_nothing_from_elsewhere_and_shows_no_personal_data(site: Site, path: str) -> None:
    for _ in range(2):
        said = site.get(path)
        assert said.status == 200
        assert SECRET not in said.text
        assert "Eva" not in said.text
        assert not re.search(r"https?://", said.text)
        assert "<script" not in said.text
        assert " style=" not in said.text
        assert "default-src 'none'" in said.headers["Content-Security-Policy"]
        assert "unsafe" not in said.headers["Content-Security-Policy"]
        assert said.headers["Cache-Control"] == "no-store"
        site.enter()  # nor to who may act, unless asked


def test_what_needs_attention_is_first_with_cause_since_and_next_step(site: Site) -> None:
    """Ten alerts stood, and the page showed none of them."""
    raised = [(f"gap 12/{n}", f"shop: missing: <{n}>", "They are not here.", "Ask `tillpost gaps`.") for n in range(10)]
    site.line.journal.alerts.change(raised, [], [], (), time.time() - 3600)
    site.line.journal.file_server.put(
        FileServer(refused=Refusal.PROBE, failures=1, reason="another host key", since=1.0, checked_at=2.0)
    )
    text = site.get("/").text
    attention = text[text.index("Needs attention") : text.index("By API")]
    assert [attention.count(f"missing: &lt;{n}&gt;") for n in range(10)] == [1] * 10
    assert attention.count("They are not here.") == 10
    assert attention.count("Ask <code>tillpost gaps</code>.") == 10
    assert attention.count("Since <time") == len(re.findall('class="stand bad"', attention)) >= 12
    assert "2 held receipts" in attention or attention.count("1 held receipt") == 2
    assert "the file server cannot be used since" in attention
    assert "another host key" in attention
    assert "The file server cannot be used since" in text[: text.index("Needs attention")]


def test_what_is_missing_in_the_journal_is_on_the_page_with_its_alert_or_without(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.line.journal.losses.record(1.0, "event 12 is missing", "read the export again")
    assert site.get("/").text.count("event 12 is missing") == 1
    monkeypatch.setattr(overview, "standing_alerts", lambda *_: [])
    assert "event 12 is missing: read the export again." in site.get("/").text


def test_the_overview_with_counts_reasons_and_tills(site: Site) -> None:
    text = site.get("/").text
    shown = {
        name: int(count)
        for name, count in re.findall(r'<span class="name">([^<]+)</span>\s*<span class="count">([\d,]+)<', text)
    }
    assert shown == {
        "accepted": 2, "resolved": 0, "waiting": 0, "uncertain": 0, "delivered by API": 0,
        "written": 0, "transferred": 0, "delivered by file": 0, "held": 2, "skipped": 0,
    }  # fmt: skip
    assert "degraded" in text
    assert "for 3 min" in text
    assert "no answer" in text
    assert "refused: &lt;b&gt;no&lt;/b&gt; store" in text
    assert re.search(r"<td>12</td><td>1</td>", text)


@pytest.mark.parametrize(
    ("form", "ids"),
    [
        ({"q": id_of("1")}, ["1"]),
        ({"q": "1"}, ["1"]),
        ({"q": "1", "store": "12"}, ["1"]),
        ({"q": "1", "store": "13"}, []),
        ({"q": "nothing"}, []),
    ],
)
def test_a_receipt_is_found_by_id_and_by_number(site: Site, form: dict[str, str], ids: list[str]) -> None:
    for said in (site.ask("POST", "/receipts", form), site.get(f"/receipts?{urlencode(form)}")):
        assert said.status == 200
        assert re.findall(r'<a href="/receipts/([^"?]+)"', said.text) == [quote(id_of(each)) for each in ids]


@pytest.mark.parametrize("typed", [SECRET, f"externalId:{SECRET}", f" {SECRET} "])
def test_a_customer_is_found_by_a_key_that_is_not_shown_again(site: Site, typed: str) -> None:
    said = site.ask("POST", "/receipts", {"q": typed})
    assert said.status == 303
    assert re.fullmatch(r"/receipts\?contact=c[0-9a-f]{16}", said.headers["Location"])
    listed = site.get(said.headers["Location"])
    assert [id_of(each) in listed.text for each in "012"] == [True] * 3
    unknown = site.ask("POST", "/receipts", {"q": "other" + typed.strip()})
    assert unknown.status == 200
    assert SECRET not in unknown.text


def test_the_timeline_of_a_receipt_with_its_contact_masked(site: Site) -> None:
    text = site.get(f"/receipts/{quote(id_of('2'))}").text
    assert "accepted" in text
    assert "refused: &lt;b&gt;no" in text
    assert re.search(r"externalId:#[0-9a-f]{12}", text)
    assert site.get("/receipts/nope").status == 404


@pytest.mark.parametrize("action", ["retry", "discard", "personal"])
def test_an_action_needs_the_token_and_a_form_of_ours(site: Site, action: str) -> None:
    path = f"/receipts/{quote(id_of('2'))}/{action}"
    before = site.line.journal.events.of_receipt(3)
    assert site.ask("POST", path, {"reason": "x"}).status == 403
    assert site.ask("POST", path, {"reason": "x", "form": "0" * 64}).status == 403
    site.enter()
    assert site.ask("POST", path, {"reason": "x"}).status == 403
    form = re.search(r'name="form" value="([0-9a-f]{64})"', site.get("/").text)
    assert form is not None
    whole = {"reason": "x", "form": form[1]}
    assert site.ask("POST", path, whole, Origin="http://evil.example").status == 403
    assert site.ask("POST", path, whole, Sec_Fetch_Site="cross-site").status == 403
    assert site.ask("POST", path, whole, Sec_Fetch_Site="same-site").status == 403
    assert site.ask("GET", path).status == 404
    assert site.line.journal.events.of_receipt(3) == before


def test_a_wrong_token_gets_no_cookie(site: Site) -> None:
    for wrong in ("", "wrong", "\u00e5\u00e4\u00f6"):
        said = site.ask("POST", "/sign-in", {"token": wrong})
        assert said.status == 403
        assert "Set-Cookie" not in said.headers
    site.cookie = "tillpost_status=" + "0" * 64
    assert 'name="form"' not in site.get("/").text


@pytest.mark.parametrize("after", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nSet-Cookie: x"])
def test_entering_the_token_leads_nowhere_else(site: Site, after: str) -> None:
    token = (site.state / "status.token").read_text().strip()
    said = site.ask("POST", "/sign-in", {"token": token, "after": after})
    assert said.headers["Location"] == "/"


def test_a_held_receipt_is_sent_again(site: Site) -> None:
    site.enter()
    said = site.act(f"/receipts/{quote(id_of('2'))}/retry")
    assert said.status == 303
    assert "It will be sent again" in site.get(said.headers["Location"]).text
    entry = site.line.journal.receipts.get(id_of("2"))
    assert entry is not None
    assert entry.state == State.ACCEPTED
    again = site.act(f"/receipts/{quote(id_of('2'))}/retry")
    assert again.status == 409
    assert "is not held" in again.text


def test_a_record_that_could_not_be_read_is_read_again(site: Site) -> None:
    site.enter()
    (broken,) = (entry for entry in site.line.journal.receipts.find({"state": "held"}) if entry.number == "77")
    assert site.act(f"/receipts/{quote(broken.id)}/retry").status == 303
    entry = site.line.journal.receipts.get(id_of("77"))
    assert entry is not None
    assert entry.state == State.ACCEPTED


def test_a_held_receipt_is_discarded_with_its_reason(site: Site) -> None:
    site.enter()
    path = f"/receipts/{quote(id_of('2'))}/discard"
    assert site.act(path, reason=" ").status == 400
    assert site.act(path, reason="x" * 501).status == 400
    said = site.act(path, reason="test sale & <more>")
    assert said.status == 303
    assert "discarded: test sale &amp; &lt;more&gt;" in site.get(said.headers["Location"]).text
    entry = site.line.journal.receipts.get(id_of("2"))
    assert entry is not None
    assert entry.state == State.SKIPPED


def test_personal_data_is_shown_to_who_asks_and_that_is_written_down(site: Site) -> None:
    site.enter()
    (broken,) = (entry for entry in site.line.journal.receipts.find({"state": "held"}) if entry.number == "77")
    path = f"/receipts/{quote(id_of('1'))}"
    said = site.act(f"{path}/personal")
    assert said.status == 200
    assert SECRET in said.text
    assert "Eva" in said.text
    told = [event["what"] for event in site.line.journal.events.of_receipt(2)]
    assert told[-1] == "personal data shown"
    after = site.get(path).text
    assert "personal data shown" in after
    assert SECRET not in after
    record = site.act(f"/receipts/{quote(broken.id)}/personal").text
    assert "&#34;mail&#34;: &#34;eva@example.org&#34;" in record


def test_only_pages_under_the_name_of_this_machine(site: Site) -> None:
    """Else a site whose name is made to lead to 127.0.0.1 could read it in a browser here."""
    assert site.get("/", Host="evil.example").status == 421
    assert site.get("/", Host=f"evil.example:{site.port}").status == 421
    for host in ("localhost", f"localhost:{site.port}", "127.0.0.1", f"[::1]:{site.port}", "[::1]"):
        assert site.get("/", Host=host).status == 200


def test_beyond_this_machine_every_page_needs_the_token(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "shop")
    fill(journal)
    (port,) = free_ports(1)
    with serving(f"0.0.0.0:{port}", lambda: [line_of(journal)], tmp_path):
        site = Site(line_of(journal), tmp_path, "127.0.0.1", port)
        for path in set(PAGES) - {"/sign-in"}:
            said = site.get(path)
            assert said.status == 401
            assert "degraded" not in said.text
            assert id_of("2") not in said.text.replace(f'value="{path}"', "")
        assert site.ask("POST", "/receipts", {"q": "1"}).status == 401
        assert site.get("/style.css").status == 200
        token = (tmp_path / "status.token").read_text().strip()
        assert site.get("/", Authorization=f"Bearer {token}").status == 200
        assert site.get("/", Authorization="Bearer wrong").status == 401
        site.enter()
        assert site.get("/").status == 200
    journal.close()


def test_the_token_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "shop")
    tokens = []
    for _ in range(2):
        (port,) = free_ports(1)
        with serving(f"127.0.0.1:{port}", lambda: [line_of(journal)], tmp_path) as path:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            tokens.append(path.read_text())
    assert tokens[0] == tokens[1]
    assert len(tokens[0].strip()) >= 40
    path.chmod(0o644)
    with pytest.raises(TillpostError, match="can be read by others"), serving("127.0.0.1:9", list, tmp_path):
        pass
    journal.close()


def test_a_taken_port_is_told(site: Site, tmp_path: Path) -> None:
    with (
        pytest.raises(TillpostError, match="another program listens there"),
        serving(f"127.0.0.1:{site.port}", list, tmp_path / "other"),
    ):
        pass


def test_a_page_that_fails_says_nothing_of_what_it_stumbled_over(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError(f"cannot read {SECRET}")

    monkeypatch.setattr("tillpost.journal.queries.search.Search.latest", fail)
    said = site.get("/")
    assert said.status == 500
    assert SECRET not in said.text
    assert SECRET not in caplog.text
    assert "status page: ValueError at" in caplog.text


@pytest.mark.parametrize(
    ("form", "kind", "status"),
    [({"q": "x" * 20_000}, "", 413), ({"q": "x"}, "application/json", 415), ({str(n): "" for n in range(30)}, "", 400)],
)
def test_a_body_that_is_no_small_form_is_refused(site: Site, form: dict[str, str], kind: str, status: int) -> None:
    sent = {"Content_Type": kind} if kind else {}
    assert site.ask("POST", "/receipts", form, **sent).status == status
    assert site.get("/").status == 200


def test_it_is_loaded_again_by_itself_when_asked(site: Site) -> None:
    assert "Refresh" not in site.get("/").headers
    said = site.get("/receipts?state=held&refresh=")
    assert said.headers["Refresh"] == "10"
    assert 'href="/receipts?state=held">Stop auto-refresh' in said.text


def test_two_pipelines_with_the_same_receipt(tmp_path: Path) -> None:
    journals = [Journal(tmp_path / name) for name in ("a", "b")]
    for journal in journals:
        fill(journal)
    (port,) = free_ports(1)
    lines = [line_of(journal, name) for journal, name in zip(journals, "ab", strict=True)]
    with serving(f"127.0.0.1:{port}", lambda: lines, tmp_path):
        site = Site(lines[0], tmp_path, "127.0.0.1", port)
        site.enter()
        assert site.act(f"/receipts/{quote(id_of('2'))}/retry?pipeline=b").status == 303
    assert [journal.receipts.counts()["held"] for journal in journals] == [2, 1]
    for journal in journals:
        journal.close()


def test_the_pages_follow_the_lines_of_a_reload_and_the_charts_go_on(tmp_path: Path) -> None:
    journals = {name: Journal(tmp_path / name) for name in ("a", "b")}
    lines = {name: line_of(journal, name) for name, journal in journals.items()}
    at_work = [lines["a"]]
    with open_site(lambda: at_work, Token.kept_in(tmp_path), SystemClock()) as desk:
        desk.samples.take()
        reader = desk.journals["a"]
        at_work.append(lines["b"])
        assert list(desk.journals) == list(desk.lines) == ["a", "b"]
        assert desk.journals["a"] is reader
        assert [len(desk.samples.of(name)) for name in "ab"] == [2, 1], "a kept its sample"
        del at_work[0]
        assert list(desk.journals) == ["b"]
        with pytest.raises(JournalError):
            reader.receipts.counts()
        journals["a"].close()
        at_work[:] = [line_of(again := Journal(tmp_path / "a"), "a")]
        assert desk.journals["a"].receipts.counts() == again.receipts.counts()
        again.close()
    journals["b"].close()


def test_b10_the_flags_of_a_receipt_stand_among_its_facts(site: Site) -> None:
    flagged = attrs.evolve(found(number="8").receipt, flags=("clock-off", "unusable-email"))
    site.line.journal.receipts.accept([Found(receipt=flagged, raw=b"{}")], DOCUMENT, None, 1.0, Accepted())
    facts = site.get(f"/receipts/{quote(flagged.id)}").text.partition("Timeline")[0]
    assert "<dt>Flags</dt><dd>clock-off, unusable-email</dd>" in facts
    assert "<dt>Flags</dt>" not in site.get(f"/receipts/{quote(id_of('1'))}").text


def test_an_id_with_any_character_has_its_page(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "shop")
    odd = 'a/b#c?d%e "<å>'
    receipt = attrs.evolve(found().receipt, id=odd)
    journal.receipts.accept([Found(receipt=receipt, raw=b"{}")], DOCUMENT, None, 1.0, Accepted())
    (port,) = free_ports(1)
    with serving(f"127.0.0.1:{port}", lambda: [line_of(journal)], tmp_path):
        site = Site(line_of(journal), tmp_path, "127.0.0.1", port)
        (where,) = re.findall(r'<a href="(/receipts/[^"?]+)"', site.get("/receipts?state=accepted").text)
        assert site.get(where).status == 200
    journal.close()
