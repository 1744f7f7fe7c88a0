"""The tables, as numbered upgrades: a journal of any earlier version is brought to the newest when it is opened."""

from __future__ import annotations

import apsw

from tillpost.errors import JournalError

UPGRADES = (
    # 1: the journal of one pipeline
    """
    CREATE TABLE receipts (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        number TEXT NOT NULL, store TEXT NOT NULL, till TEXT NOT NULL, business_date TEXT NOT NULL,
        created TEXT NOT NULL, currency TEXT NOT NULL, total TEXT NOT NULL, line_count INTEGER NOT NULL,
        state TEXT NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        sending REAL,
        reason TEXT NOT NULL DEFAULT '', route TEXT NOT NULL DEFAULT '',
        contact TEXT REFERENCES contacts(key), file TEXT NOT NULL DEFAULT '',
        document TEXT NOT NULL, place TEXT NOT NULL,
        accepted_at REAL NOT NULL, changed_at REAL NOT NULL, delivered_at REAL
    );
    CREATE INDEX receipts_due ON receipts(due, seq)
        WHERE state IN ('accepted', 'resolved', 'waiting', 'uncertain');
    CREATE INDEX receipts_state ON receipts(state, route);
    CREATE INDEX receipts_number ON receipts(number, store);
    CREATE INDEX receipts_contact ON receipts(contact);
    CREATE INDEX receipts_file ON receipts(file) WHERE file <> '';
    -- In a table of their own, so that counting and claiming never read past them.
    CREATE TABLE bodies (
        seq INTEGER PRIMARY KEY REFERENCES receipts(seq),
        body BLOB, checksum BLOB NOT NULL, raw BLOB NOT NULL
    );
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        receipt INTEGER, contact TEXT, at REAL NOT NULL, step TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL
    );
    CREATE INDEX events_receipt ON events(receipt) WHERE receipt IS NOT NULL;
    CREATE INDEX events_contact ON events(contact) WHERE contact IS NOT NULL;
    CREATE TABLE no_receipts (
        document TEXT NOT NULL, place TEXT NOT NULL, reason TEXT NOT NULL, retail INTEGER NOT NULL,
        number TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (document, place)
    ) WITHOUT ROWID;
    CREATE TABLE contacts (
        key TEXT PRIMARY KEY, contact_id TEXT NOT NULL DEFAULT '',
        attributes TEXT NOT NULL, sent TEXT NOT NULL, store TEXT NOT NULL,
        origin TEXT NOT NULL DEFAULT '', file TEXT NOT NULL DEFAULT '',
        seen_at REAL NOT NULL, learnt_at REAL, spooled TEXT NOT NULL DEFAULT '{}'
    ) WITHOUT ROWID;
    CREATE TABLE identifiers (
        kind TEXT NOT NULL, value TEXT NOT NULL, contact TEXT NOT NULL REFERENCES contacts(key),
        PRIMARY KEY (kind, value)
    ) WITHOUT ROWID;
    CREATE INDEX identifiers_contact ON identifiers(contact);
    CREATE TABLE files (
        name TEXT PRIMARY KEY, kind TEXT NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL,
        sha256 TEXT NOT NULL, size INTEGER NOT NULL, path TEXT NOT NULL, rows INTEGER NOT NULL, keys TEXT NOT NULL,
        state TEXT NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
        written_at REAL NOT NULL, uploaded_at REAL, consumed_at REAL, confirmed_at REAL
    ) WITHOUT ROWID;
    CREATE TABLE tenant (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        state TEXT NOT NULL, reason TEXT NOT NULL, since REAL NOT NULL,
        unreachable_since REAL, failures INTEGER NOT NULL, probe_due REAL NOT NULL, spool_due REAL NOT NULL,
        sequence INTEGER NOT NULL, observed INTEGER NOT NULL
    );
    INSERT INTO tenant VALUES (1, 'online', '', 0, NULL, 0, 0, 0, 0, 0);
    """,
    # 2: an outage ends after several answers; crashes are counted by receipt; the manifest knows the times in a file,
    # and when a person was told
    """
    ALTER TABLE receipts ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tenant ADD COLUMN answers INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE files ADD COLUMN first_at TEXT NOT NULL DEFAULT '';
    ALTER TABLE files ADD COLUMN last_at TEXT NOT NULL DEFAULT '';
    ALTER TABLE files ADD COLUMN alerted_at REAL;
    """,
    # 3: what the doctor found damaged, as far as it could be read (personal data), with what was lost
    """
    CREATE TABLE quarantine (
        seq INTEGER PRIMARY KEY, at REAL NOT NULL,
        source TEXT NOT NULL, place TEXT NOT NULL, receipt TEXT NOT NULL,
        reason TEXT NOT NULL, lost TEXT NOT NULL, raw BLOB NOT NULL
    );
    """,
    # 4: contacts through an outage. made: the file that creates the contact; looked_at, compared_at: when the far side
    # was asked about it before and after the import of what a file last said of it; conflict: reason and found, JSON;
    # dropped: names the import left out, JSON. matched: the kind of identifier by which a file names the receipt's
    # contact. reviewed: the file may go up, its contacts were looked up.
    """
    ALTER TABLE contacts ADD COLUMN made TEXT NOT NULL DEFAULT '';
    ALTER TABLE contacts ADD COLUMN looked_at REAL;
    ALTER TABLE contacts ADD COLUMN compared_at REAL;
    ALTER TABLE contacts ADD COLUMN conflict TEXT NOT NULL DEFAULT '';
    ALTER TABLE contacts ADD COLUMN dropped TEXT NOT NULL DEFAULT '[]';
    UPDATE contacts SET made = file;
    ALTER TABLE receipts ADD COLUMN matched TEXT NOT NULL DEFAULT '';
    ALTER TABLE files ADD COLUMN reviewed INTEGER NOT NULL DEFAULT 0;
    """,
    # 5: where files stand, without reading past the ids in them
    """
    CREATE INDEX files_standing ON files(state, sequence, kind, position, due, reviewed, consumed_at);
    """,
    # 6: what was answered to a document that came with a key, for when it comes again; counts: JSON
    """
    CREATE TABLE answers (
        key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, counts TEXT NOT NULL, at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX answers_at ON answers(at);
    """,
)


def upgrade(connection: apsw.Connection, to: int = len(UPGRADES)) -> None:
    """Bring the tables to the newest version (or to an older one), each step in a transaction of its own."""
    version = int(connection.pragma("user_version"))
    if version > len(UPGRADES):
        raise JournalError(
            f"the journal has schema {version}, this Tillpost knows {len(UPGRADES)}: it was written by a newer one"
        )
    for number, script in enumerate(UPGRADES[version:to], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")  # one that reads first and then writes is told at once that it is locked
        with connection:
            if int(connection.pragma("user_version")) < number:  # else another process upgraded meanwhile
                connection.execute(script)
                connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
