"""The tables, as numbered upgrades: a journal of any earlier version is brought to the newest when it is opened."""

from __future__ import annotations

import apsw

from tillpost.errors import JournalError, StateFolderBusy

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
    # 2: answers since an outage, crashes of each receipt, and in the manifest the times of a file and of its alert
    """
    ALTER TABLE receipts ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tenant ADD COLUMN answers INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE files ADD COLUMN first_at TEXT NOT NULL DEFAULT '';
    ALTER TABLE files ADD COLUMN last_at TEXT NOT NULL DEFAULT '';
    ALTER TABLE files ADD COLUMN alerted_at REAL;
    """,
    # 3: damaged rows as far as they could be read (personal data), with what was lost
    """
    CREATE TABLE quarantine (
        seq INTEGER PRIMARY KEY, at REAL NOT NULL,
        source TEXT NOT NULL, place TEXT NOT NULL, receipt TEXT NOT NULL,
        reason TEXT NOT NULL, lost TEXT NOT NULL, raw BLOB NOT NULL
    );
    """,
    # 4: contacts during an outage. made: the file that creates the contact; looked_at, compared_at: when it was looked
    # up before the upload and after the import of a file; conflict: reason and found, JSON; dropped: fields the import
    # did not save, JSON. matched: the kind of identifier by which a file names the contact of the receipt. reviewed:
    # the contacts of the file were looked up, it may be uploaded.
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
    # 5: the states of files, without reading the ids in them
    """
    CREATE INDEX files_standing ON files(state, sequence, kind, position, due, reviewed, consumed_at);
    """,
    # 6: counters (accepted receipts are counted by tables/counters.py), the seqs of removed and lost rows, and indexes
    # for `status`
    """
    CREATE TABLE tally (
        state TEXT NOT NULL, route TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (state, route, reason)
    ) WITHOUT ROWID;
    CREATE TRIGGER receipts_moved AFTER UPDATE OF state, route, reason ON receipts
    WHEN OLD.state <> NEW.state OR OLD.route <> NEW.route OR (NEW.state = 'skipped' AND OLD.reason <> NEW.reason) BEGIN
        UPDATE tally SET count = count - 1 WHERE state = OLD.state AND route = OLD.route
            AND reason = CASE OLD.state WHEN 'skipped' THEN OLD.reason ELSE '' END;
        INSERT INTO tally VALUES (NEW.state, NEW.route, CASE NEW.state WHEN 'skipped' THEN NEW.reason ELSE '' END, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER receipts_removed AFTER DELETE ON receipts BEGIN
        UPDATE tally SET count = count - 1 WHERE state = OLD.state AND route = OLD.route
            AND reason = CASE OLD.state WHEN 'skipped' THEN OLD.reason ELSE '' END;
    END;
    CREATE TRIGGER no_receipts_added AFTER INSERT ON no_receipts BEGIN
        INSERT INTO tally VALUES ('no receipt', '', NEW.reason, 1) ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER no_receipts_removed AFTER DELETE ON no_receipts BEGIN
        UPDATE tally SET count = count - 1 WHERE state = 'no receipt' AND route = '' AND reason = OLD.reason;
    END;
    CREATE TABLE contact_tally (
        one INTEGER PRIMARY KEY CHECK (one = 1), known INTEGER NOT NULL, pending INTEGER NOT NULL,
        created INTEGER NOT NULL, reconciled INTEGER NOT NULL, conflicts INTEGER NOT NULL, dropped INTEGER NOT NULL
    );
    CREATE TRIGGER contacts_added AFTER INSERT ON contacts WHEN NEW.contact_id <> '' OR NEW.file <> ''
    OR NEW.origin <> '' OR NEW.conflict <> '' OR NEW.dropped <> '[]' BEGIN
        UPDATE contact_tally SET known = known + (NEW.contact_id <> ''),
            pending = pending + (NEW.contact_id = '' AND NEW.file <> '' AND NEW.conflict = ''),
            created = created + (NEW.origin = 'created'),
            reconciled = reconciled + (NEW.contact_id <> '' AND NEW.file <> ''),
            conflicts = conflicts + (NEW.conflict <> ''), dropped = dropped + (NEW.dropped <> '[]');
    END;
    CREATE TRIGGER contacts_changed AFTER UPDATE OF contact_id, file, origin, conflict, dropped ON contacts BEGIN
        UPDATE contact_tally SET known = known + (NEW.contact_id <> '') - (OLD.contact_id <> ''),
            pending = pending + (NEW.contact_id = '' AND NEW.file <> '' AND NEW.conflict = '')
                - (OLD.contact_id = '' AND OLD.file <> '' AND OLD.conflict = ''),
            created = created + (NEW.origin = 'created') - (OLD.origin = 'created'),
            reconciled = reconciled + (NEW.contact_id <> '' AND NEW.file <> '')
                - (OLD.contact_id <> '' AND OLD.file <> ''),
            conflicts = conflicts + (NEW.conflict <> '') - (OLD.conflict <> ''),
            dropped = dropped + (NEW.dropped <> '[]') - (OLD.dropped <> '[]');
    END;
    CREATE TRIGGER contacts_removed AFTER DELETE ON contacts BEGIN
        UPDATE contact_tally SET known = known - (OLD.contact_id <> ''),
            pending = pending - (OLD.contact_id = '' AND OLD.file <> '' AND OLD.conflict = ''),
            created = created - (OLD.origin = 'created'),
            reconciled = reconciled - (OLD.contact_id <> '' AND OLD.file <> ''),
            conflicts = conflicts - (OLD.conflict <> ''), dropped = dropped - (OLD.dropped <> '[]');
    END;
    INSERT INTO tally SELECT state, route, '', count(*) FROM receipts WHERE state <> 'skipped' GROUP BY state, route;
    INSERT INTO tally SELECT state, route, reason, count(*) FROM receipts WHERE state = 'skipped' GROUP BY 2, 3;
    INSERT INTO tally SELECT 'no receipt', '', reason, count(*) FROM no_receipts GROUP BY reason;
    INSERT INTO contact_tally SELECT 1, count(*) FILTER (WHERE contact_id <> ''),
        count(*) FILTER (WHERE contact_id = '' AND file <> '' AND conflict = ''),
        count(*) FILTER (WHERE origin = 'created'), count(*) FILTER (WHERE contact_id <> '' AND file <> ''),
        count(*) FILTER (WHERE conflict <> ''), count(*) FILTER (WHERE dropped <> '[]') FROM contacts;
    CREATE TABLE removed (
        of TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (of, first)
    ) WITHOUT ROWID;
    INSERT INTO removed SELECT 'lost', before + 1, seq - 1 FROM (
        SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM receipts
        WHERE (SELECT count(*) FROM receipts) < (SELECT max(seq) FROM receipts)
    ) WHERE seq > before + 1;
    CREATE INDEX events_tenant ON events(at) WHERE step = 'tenant';
    CREATE INDEX files_alerted ON files(alerted_at) WHERE alerted_at IS NOT NULL;
    """,
    # 7: the answers to documents with an idempotency key; counts: JSON
    """
    CREATE TABLE answers (
        key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, counts TEXT NOT NULL, at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX answers_at ON answers(at);
    """,
    # 8: the known tills, and an index of the receipts of a store's days
    """
    CREATE TABLE tills (
        store TEXT NOT NULL, till TEXT NOT NULL, first_at REAL NOT NULL, last_at REAL NOT NULL,
        receipts INTEGER NOT NULL, last_number TEXT NOT NULL, last_created TEXT NOT NULL,
        PRIMARY KEY (store, till)
    ) WITHOUT ROWID;
    CREATE INDEX receipts_day ON receipts(store, business_date, till);
    INSERT INTO tills SELECT store, till, first, accepted_at, count, number, created FROM (
        SELECT store, till, min(accepted_at) AS first, max(seq) AS seq, count(*) AS count FROM receipts
        WHERE store <> '' GROUP BY store, till
    ) JOIN receipts USING (seq, store, till);
    """,
    # 9: an index of the few contacts that wait for something
    """
    CREATE INDEX contacts_open ON contacts(seen_at)
        WHERE ((contact_id = '' AND file <> '') OR conflict <> '' OR dropped <> '[]');
    """,
    # 10: the totals that tills printed at the end of a day; total: a decimal
    """
    CREATE TABLE day_totals (
        store TEXT NOT NULL, business_date TEXT NOT NULL, till TEXT NOT NULL, currency TEXT NOT NULL,
        kind TEXT NOT NULL, name TEXT NOT NULL, count INTEGER, total TEXT NOT NULL,
        source TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (store, business_date, till, currency, kind, name)
    ) WITHOUT ROWID;
    CREATE INDEX day_totals_at ON day_totals(at);
    """,
    # 11: replays: the request and the person; planned: JSON; day, moment, after: the last receipt that was examined.
    # replayed: the receipts that were moved, and the state of each before.
    """
    CREATE TABLE replays (
        id INTEGER PRIMARY KEY, reason TEXT NOT NULL, who TEXT NOT NULL, by TEXT NOT NULL,
        store TEXT NOT NULL, till TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL, answered INTEGER NOT NULL,
        newest INTEGER NOT NULL, made_at REAL NOT NULL, planned TEXT NOT NULL, chosen INTEGER NOT NULL,
        state TEXT NOT NULL,
        day TEXT NOT NULL DEFAULT '', moment TEXT NOT NULL DEFAULT '', after INTEGER NOT NULL DEFAULT 0,
        put_back INTEGER NOT NULL DEFAULT 0, left_out INTEGER NOT NULL DEFAULT 0,
        stepped_at REAL, busy REAL NOT NULL DEFAULT 0, ended_at REAL
    );
    CREATE TABLE replayed (
        replay INTEGER NOT NULL REFERENCES replays(id), receipt INTEGER NOT NULL, was TEXT NOT NULL,
        PRIMARY KEY (replay, receipt)
    ) WITHOUT ROWID;
    """,
    # 12: the mappings that were used; what: JSON without secrets; held: receipts it was tried on
    """
    CREATE TABLE mappings (
        fingerprint TEXT PRIMARY KEY, what TEXT NOT NULL, first_at REAL NOT NULL, since REAL NOT NULL,
        released_at REAL, held INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    """,
    # 13: store, till and date of records that are not a receipt, and alerts with their notices
    """
    ALTER TABLE no_receipts ADD COLUMN store TEXT NOT NULL DEFAULT '';
    ALTER TABLE no_receipts ADD COLUMN till TEXT NOT NULL DEFAULT '';
    ALTER TABLE no_receipts ADD COLUMN date TEXT NOT NULL DEFAULT '';
    CREATE INDEX no_receipts_till ON no_receipts(store, till, date, number) WHERE number <> '';
    CREATE TABLE alerts (
        seq INTEGER PRIMARY KEY, key TEXT NOT NULL, what TEXT NOT NULL, means TEXT NOT NULL, next_step TEXT NOT NULL,
        raised_at REAL NOT NULL, over_at REAL
    );
    CREATE UNIQUE INDEX alerts_standing ON alerts(key) WHERE over_at IS NULL;
    CREATE TABLE notices (
        seq INTEGER PRIMARY KEY, alert INTEGER NOT NULL REFERENCES alerts(seq), event TEXT NOT NULL,
        channel TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, reason TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX notices_due ON notices(due);
    """,
    # 14: tables, columns and values are renamed; the upgrades above have their old names
    """
    DROP INDEX events_tenant;
    ALTER TABLE tenant RENAME TO destination;
    ALTER TABLE destination RENAME COLUMN spool_due TO files_due;
    ALTER TABLE tally RENAME TO counters;
    ALTER TABLE contact_tally RENAME TO contact_counters;
    ALTER TABLE answers RENAME TO idempotency_keys;
    ALTER TABLE contacts RENAME COLUMN spooled TO in_files;
    ALTER TABLE contacts RENAME COLUMN made TO created_by;
    UPDATE destination SET state = CASE state
        WHEN 'file mode' THEN 'fallback' WHEN 'draining' THEN 'catching up' WHEN 'reconciling' THEN 'confirming'
        ELSE state END;
    UPDATE receipts SET state = 'written' WHERE state = 'spooled';
    UPDATE replayed SET was = 'written' WHERE was = 'spooled';
    UPDATE events SET step = 'destination', what = CASE what
        WHEN 'file mode' THEN 'fallback' WHEN 'draining' THEN 'catching up' WHEN 'reconciling' THEN 'confirming'
        ELSE what END WHERE step = 'tenant';
    UPDATE events SET step = 'write' WHERE step = 'spool';
    UPDATE events SET what = 'written' WHERE what = 'spooled';
    CREATE INDEX events_destination ON events(at) WHERE step = 'destination';
    ALTER TABLE contacts RENAME COLUMN dropped TO unsaved;
    ALTER TABLE replays RENAME COLUMN answered TO unverified;
    ALTER TABLE replays RENAME COLUMN left_out TO not_written;
    ALTER TABLE contact_counters RENAME COLUMN dropped TO unsaved;
    UPDATE receipts SET reason = 'discarded: ' || substr(reason, 10)
        WHERE state = 'skipped' AND reason LIKE 'dropped: %';
    DROP TRIGGER IF EXISTS no_receipts_added;
    DROP TRIGGER IF EXISTS no_receipts_removed;
    CREATE TRIGGER no_receipts_added AFTER INSERT ON no_receipts BEGIN
        INSERT INTO counters VALUES (iif(NEW.retail, 'skipped record', 'ignored record'), '', NEW.reason, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER no_receipts_removed AFTER DELETE ON no_receipts BEGIN
        UPDATE counters SET count = count - 1 WHERE state = iif(OLD.retail, 'skipped record', 'ignored record')
            AND route = '' AND reason = OLD.reason;
    END;
    DELETE FROM counters WHERE state = 'no receipt';
    INSERT INTO counters SELECT iif(retail, 'skipped record', 'ignored record'), '', reason, count(*)
        FROM no_receipts GROUP BY retail, reason;
    """,
    # 15: when the alert rules were evaluated last, what is known of the file server, documents, sources, verification
    """
    ALTER TABLE alerts ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE watching (one INTEGER PRIMARY KEY CHECK (one = 1), at REAL NOT NULL);
    CREATE TABLE file_server (
        one INTEGER PRIMARY KEY CHECK (one = 1), failures INTEGER NOT NULL, reason TEXT NOT NULL,
        refused INTEGER NOT NULL, since REAL NOT NULL, checked_at REAL NOT NULL
    );
    -- what tills have voided, by the id of its receipt; final: one that comes later is void, too. The settings that
    -- made ids and named folders, with the time since which each is used. server: where a file was put.
    CREATE TABLE voids (
        id TEXT PRIMARY KEY, document TEXT NOT NULL, place TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL,
        final INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE settings_seen (
        what TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (what, value)
    ) WITHOUT ROWID;
    INSERT INTO settings_seen SELECT 'ids', '', 0 WHERE EXISTS (SELECT 1 FROM receipts);
    ALTER TABLE files ADD COLUMN server TEXT NOT NULL DEFAULT '';
    -- documents: records = receipts + ignored + skipped + broken; again: known before; due: when it is tried again.
    -- document_contents: of those set aside that lie nowhere else.
    CREATE TABLE documents (
        seq INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, size INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', place TEXT NOT NULL DEFAULT '',
        first_at REAL NOT NULL, last_at REAL NOT NULL, due REAL,
        records INTEGER NOT NULL DEFAULT 0, receipts INTEGER NOT NULL DEFAULT 0, again INTEGER NOT NULL DEFAULT 0,
        ignored INTEGER NOT NULL DEFAULT 0, skipped INTEGER NOT NULL DEFAULT 0, broken INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0, crashes INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX documents_open ON documents(sha256, name) WHERE state <> 'read';
    CREATE INDEX documents_at ON documents(first_at);
    CREATE TABLE document_contents (
        document INTEGER PRIMARY KEY REFERENCES documents(seq), content BLOB NOT NULL
    );
    -- the receipts, broken records among them, that were inserted for a document, by their seqs
    CREATE TABLE document_rows (
        first INTEGER PRIMARY KEY, last INTEGER NOT NULL, document INTEGER NOT NULL REFERENCES documents(seq)
    );
    CREATE INDEX document_rows_document ON document_rows(document);
    CREATE TABLE sources (
        name TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL, since REAL NOT NULL, due REAL,
        failures INTEGER NOT NULL
    ) WITHOUT ROWID;
    -- verified_at: when the contact's history showed the receipt; verify_due: when it is read next, NULL when it is not
    -- to be; looks: how often it was read in vain. Delivered before, by API: read behind those of today, the newest
    -- first; those of more than 31 days are not, because nobody would repair them by now.
    ALTER TABLE receipts ADD COLUMN verified_at REAL;
    ALTER TABLE receipts ADD COLUMN verify_due REAL;
    ALTER TABLE receipts ADD COLUMN looks INTEGER NOT NULL DEFAULT 0;
    UPDATE receipts SET verified_at = delivered_at WHERE state = 'delivered' AND (route = 'file' OR reason <> '');
    UPDATE receipts SET verify_due = now + 3600 + (now - delivered_at) / 4
        FROM (SELECT (julianday('now') - 2440587.5) * 86400 AS now)
        WHERE state = 'delivered' AND verified_at IS NULL AND contact IS NOT NULL AND delivered_at > now - 31 * 86400;
    CREATE INDEX receipts_verify ON receipts(verify_due, seq) WHERE verify_due IS NOT NULL;
    CREATE INDEX receipts_unverified ON receipts(delivered_at) WHERE verify_due IS NOT NULL;
    INSERT INTO counters SELECT 'verified', route, '', count(*) FROM receipts WHERE verified_at IS NOT NULL
        GROUP BY route;
    CREATE TRIGGER receipts_verified AFTER UPDATE OF verified_at ON receipts
    WHEN (OLD.verified_at IS NULL) <> (NEW.verified_at IS NULL) BEGIN
        INSERT INTO counters VALUES ('verified', iif(NEW.verified_at IS NULL, OLD.route, NEW.route), '',
            iif(NEW.verified_at IS NULL, -1, 1)) ON CONFLICT DO UPDATE SET count = count + excluded.count;
    END;
    CREATE TRIGGER receipts_verified_removed AFTER DELETE ON receipts WHEN OLD.verified_at IS NOT NULL BEGIN
        UPDATE counters SET count = count - 1 WHERE state = 'verified' AND route = OLD.route;
    END;
    CREATE TABLE verification (
        one INTEGER PRIMARY KEY CHECK (one = 1), history TEXT NOT NULL, reason TEXT NOT NULL, since REAL NOT NULL,
        looks INTEGER NOT NULL, requests INTEGER NOT NULL, lag REAL
    );
    INSERT INTO verification VALUES (1, 'unknown', '', 0, 0, 0, NULL);
    -- the tenants the destination has been, the last one is the present one; pending: the address of which lookups have
    -- not shown yet whether it is another, and since when; confirmed_at: when the destination last
    -- confirmed a contactId, 0 for never, negative when it is in doubt since
    CREATE TABLE tenants (
        seq INTEGER PRIMARY KEY, address TEXT NOT NULL, credential TEXT NOT NULL, since REAL NOT NULL,
        pending TEXT NOT NULL DEFAULT '', pending_since REAL NOT NULL DEFAULT 0
    );
    ALTER TABLE contacts ADD COLUMN confirmed_at REAL NOT NULL DEFAULT 0;
    UPDATE contacts SET confirmed_at = coalesce(learnt_at, 0) WHERE contact_id <> '';
    -- people: an e-mail or phone number may belong to several contacts; shared: the destination has it for another
    -- person. attribute_times: name → the time of the sale that stated it, JSON. lookups, lookup_due: of a contact that
    -- is not known and may not be created. gone_at: when its id turned out to be gone, until it is identified anew.
    CREATE TABLE identifiers_15 (
        kind TEXT NOT NULL, value TEXT NOT NULL, contact TEXT NOT NULL REFERENCES contacts(key),
        shared INTEGER NOT NULL DEFAULT 0, learnt_at REAL NOT NULL DEFAULT 0,
        PRIMARY KEY (kind, value, contact)
    ) WITHOUT ROWID;
    INSERT INTO identifiers_15 (kind, value, contact) SELECT kind, value, contact FROM identifiers;
    DROP TABLE identifiers;
    ALTER TABLE identifiers_15 RENAME TO identifiers;
    CREATE INDEX identifiers_contact ON identifiers(contact);
    ALTER TABLE contacts ADD COLUMN attribute_times TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE contacts ADD COLUMN lookups INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE contacts ADD COLUMN lookup_due REAL;
    ALTER TABLE contacts ADD COLUMN gone_at REAL;
    UPDATE contacts SET attribute_times = (
        SELECT json_group_object(each.key, contacts.seen_at) FROM json_each(contacts.attributes) each
    ) WHERE attributes <> '{}' AND json_valid(attributes);
    CREATE INDEX contacts_by_id ON contacts(contact_id) WHERE contact_id <> '';
    -- identity: of this journal and its copies. losses: what is known to be missing, until a person has settled it.
    CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), token TEXT NOT NULL);
    INSERT INTO identity VALUES (1, lower(hex(randomblob(16))));
    CREATE TABLE losses (
        seq INTEGER PRIMARY KEY, at REAL NOT NULL, what TEXT NOT NULL, next_step TEXT NOT NULL, settled_at REAL
    );
    """,
    # 16: calls that ended the process again and again, events that observers lost, where the sources go on
    """
    CREATE TABLE steps_set_aside (
        step TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
        since REAL NOT NULL, at REAL NOT NULL, due REAL,
        PRIMARY KEY (step, name)
    ) WITHOUT ROWID;
    CREATE TABLE cursors (source TEXT PRIMARY KEY, cursor TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
    """,
    # 17: observers that cannot take an event now; observed: the last event they have taken, behind that of the others
    """
    CREATE TABLE observers_behind (
        name TEXT PRIMARY KEY, observed INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
        since REAL NOT NULL, due REAL, failures INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
)


RENAMING = 14
"""The upgrade that renames tables and columns: what an earlier version prepares fails after it."""
VERIFYING = 15
"""The upgrade that brings the tables of verification and identity, which have one row each."""


def refuse_newer(version: int) -> None:
    """Raise JournalError for a schema of a later Tillpost."""
    if version > len(UPGRADES):
        raise JournalError(
            f"the journal has schema {version}, this Tillpost knows {len(UPGRADES)}: it was written by a newer one"
        )


def upgrade(connection: apsw.Connection, to: int = len(UPGRADES), alone: bool = True) -> None:
    """Bring the tables to the newest version (or to an older one), each step in a transaction of its own.

    alone: no other process has the journal open. Raises StateFolderBusy when one has and names would change under it.
    """
    version = int(connection.pragma("user_version"))
    refuse_newer(version)
    if 0 < version < RENAMING <= to and not alone:
        raise StateFolderBusy(
            f"the journal has schema {version}, and another process has it open; stop the older `tillpost run`, then"
            " try again: the journal is upgraded when it is next opened"
        )
    for number, script in enumerate(UPGRADES[version:to], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")  # a transaction that starts with a read cannot wait for the lock
        with connection:
            if int(connection.pragma("user_version")) < number:  # else another process upgraded meanwhile
                connection.execute(script)
                connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
