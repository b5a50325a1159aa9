"""The store's schema history. Append only: an old migration is never edited."""

from sqlite_utils import Database, Migrations

migrations = Migrations("blindspot")


@migrations()
def m001_first_schema(db: Database) -> None:
    db.executescript(
        """
        CREATE TABLE examples (
            id INTEGER PRIMARY KEY,
            task TEXT NOT NULL,
            content_hash TEXT NOT NULL,
            fields TEXT NOT NULL,
            text TEXT NOT NULL,
            split TEXT NOT NULL CHECK (split IN ('train', 'held_out')),
            created_at TEXT NOT NULL,
            UNIQUE (task, content_hash)
        );
        CREATE TABLE versions (
            id TEXT PRIMARY KEY,
            task TEXT NOT NULL,
            parent_id TEXT REFERENCES versions(id),
            folder TEXT NOT NULL,
            base TEXT NOT NULL,
            recipe TEXT,
            example_ids TEXT NOT NULL DEFAULT '[]',
            note TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL
        );
        CREATE TABLE verdicts (
            id INTEGER PRIMARY KEY,
            example_id INTEGER NOT NULL REFERENCES examples(id),
            kind TEXT NOT NULL CHECK (kind IN ('correction', 'confirmation')),
            expected_label TEXT NOT NULL,
            predicted_label TEXT,
            probabilities TEXT,
            version_id TEXT REFERENCES versions(id),
            annotator TEXT NOT NULL,
            category TEXT NOT NULL,
            note TEXT NOT NULL DEFAULT '',
            origin TEXT NOT NULL DEFAULT 'probe',
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            archived_at TEXT
        );
        CREATE INDEX verdicts_by_example ON verdicts (example_id);
        CREATE INDEX verdicts_by_time ON verdicts (created_at);
        CREATE TABLE jobs (
            id TEXT PRIMARY KEY,
            task TEXT NOT NULL,
            state TEXT NOT NULL CHECK (
                state IN ('queued', 'running', 'cancelling', 'cancelled', 'failed', 'done')),
            parent_id TEXT NOT NULL REFERENCES versions(id),
            version_id TEXT REFERENCES versions(id),
            preset TEXT NOT NULL,
            recipe TEXT NOT NULL,
            example_ids TEXT NOT NULL,
            requested_by TEXT NOT NULL,
            created_at TEXT NOT NULL,
            started_at TEXT,
            heartbeat_at TEXT,
            finished_at TEXT,
            phase TEXT NOT NULL DEFAULT 'waiting',
            progress TEXT,
            report TEXT,
            error TEXT
        );
        CREATE INDEX jobs_by_state ON jobs (state, created_at);
        CREATE TABLE evaluations (
            id INTEGER PRIMARY KEY,
            version_id TEXT NOT NULL REFERENCES versions(id),
            job_id TEXT REFERENCES jobs(id),
            split TEXT NOT NULL,
            rows INTEGER NOT NULL,
            metrics TEXT NOT NULL,
            created_at TEXT NOT NULL
        );
        CREATE INDEX evaluations_by_version ON evaluations (version_id);
        CREATE TABLE promotions (
            id INTEGER PRIMARY KEY,
            task TEXT NOT NULL,
            version_id TEXT NOT NULL REFERENCES versions(id),
            promoted_by TEXT NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL
        );
        CREATE INDEX promotions_by_task ON promotions (task, id);
        """
    )
    db["examples"].enable_fts(["text"], create_triggers=True, tokenize="unicode61 remove_diacritics 2")


@migrations()
def m002_gate(db: Database) -> None:
    """`gate`: a JSON list of reasons against promoting the version; empty where there are none, NULL where nothing
    was measured. A promotion keeps those that it overrode."""
    db["versions"].add_column("gate", str)
    db["promotions"].add_column("overrode", str)


@migrations()
def m003_suite_results(db: Database) -> None:
    """What each version made of each behavioural suite; `failures` is a JSON list of rows. A new run of the same
    suite replaces the old one's row."""
    db["suite_results"].create(
        {
            "version_id": str,
            "suite": str,
            "task": str,
            "category": str,
            "rows": int,
            "failed": int,
            "low": float,
            "high": float,
            "failures": str,
            "created_at": str,
        },
        pk=("version_id", "suite"),
        foreign_keys=[("version_id", "versions", "id")],
        not_null={"task", "category", "rows", "failed", "low", "high", "failures", "created_at"},
    )


@migrations()
def m004_probes(db: Database) -> None:
    """That an input was tried, of which category, and how sure the answer was: what a hunt has cost."""
    db["probes"].create(
        {"id": int, "task": str, "version_id": str, "category": str, "confidence": float, "created_at": str},
        pk="id",
        not_null={"task", "version_id", "category", "confidence", "created_at"},
    )
    db["probes"].create_index(["task", "id"])


@migrations()
def m005_accounts(db: Database) -> None:
    """Who may log in, as what; a removed account stays, since what it did bears its name. Failed logins of the last
    minutes."""
    db["accounts"].create(
        {
            "name": str,
            "role": str,
            "password": str,
            "created_at": str,
            "sessions_since": str,
            "removed_at": str,
        },
        pk="name",
        not_null={"role", "password", "created_at", "sessions_since"},
    )
    db["login_failures"].create({"name": str, "address": str, "at": str}, not_null={"name", "address", "at"})


@migrations()
def m006_steps(db: Database) -> None:
    """Every change of a verdict as an event (before, after), many of them one step of a person's; what the tables
    and the queue for second looks read without a look at every row."""
    db.executescript(
        """
        CREATE TABLE steps (
            id INTEGER PRIMARY KEY,
            act TEXT NOT NULL,
            who TEXT NOT NULL,
            created_at TEXT NOT NULL,
            undoes INTEGER REFERENCES steps(id),
            undone_by INTEGER REFERENCES steps(id)
        );
        CREATE INDEX steps_by_person ON steps (who);
        CREATE TABLE events (
            id INTEGER PRIMARY KEY,
            step_id INTEGER NOT NULL REFERENCES steps(id),
            verdict_id INTEGER NOT NULL REFERENCES verdicts(id),
            before TEXT,
            after TEXT NOT NULL
        );
        CREATE INDEX events_by_step ON events (step_id);
        CREATE INDEX events_by_verdict ON events (verdict_id);
        CREATE TABLE saved_views (
            name TEXT PRIMARY KEY,
            who TEXT NOT NULL,
            filters TEXT NOT NULL,
            created_at TEXT NOT NULL
        );
        CREATE TABLE fixes (
            version_id TEXT NOT NULL REFERENCES versions(id),
            example_id INTEGER NOT NULL REFERENCES examples(id),
            PRIMARY KEY (version_id, example_id)
        ) WITHOUT ROWID;
        ALTER TABLE examples ADD COLUMN state TEXT;
        ALTER TABLE examples ADD COLUMN queue TEXT;
        ALTER TABLE verdicts ADD COLUMN task TEXT;
        ALTER TABLE verdicts ADD COLUMN confidence REAL;
        ALTER TABLE verdicts ADD COLUMN assigned_to TEXT;
        UPDATE verdicts SET
            task = (SELECT task FROM examples WHERE id = example_id),
            confidence = (SELECT max(value) FROM json_each(probabilities));
        INSERT INTO steps (id, act, who, created_at) SELECT id, 'flag', annotator, created_at FROM verdicts;
        INSERT INTO events (step_id, verdict_id, before, after)
            SELECT id, id, NULL, json_object('expected_label', expected_label, 'kind', kind, 'category', category,
                'note', note, 'annotator', annotator, 'archived_at', NULL, 'assigned_to', NULL) FROM verdicts;
        DROP INDEX verdicts_by_example;
        CREATE INDEX verdicts_by_example ON verdicts (
            example_id, annotator, kind, expected_label, category, predicted_label, version_id, archived_at);
        CREATE INDEX verdicts_by_category ON verdicts (
            task, category, kind, expected_label, predicted_label, annotator, version_id)
            WHERE archived_at IS NULL;
        CREATE INDEX verdicts_by_annotator ON verdicts (
            task, annotator, kind, expected_label, predicted_label, category, version_id)
            WHERE archived_at IS NULL;
        CREATE INDEX verdicts_by_version ON verdicts (
            task, version_id, kind, expected_label, predicted_label, category, annotator)
            WHERE archived_at IS NULL;
        CREATE INDEX verdicts_by_task ON verdicts (task) WHERE archived_at IS NULL;
        CREATE INDEX verdicts_by_confidence ON verdicts (task, confidence) WHERE archived_at IS NULL;
        CREATE INDEX verdicts_by_change ON verdicts (task, updated_at) WHERE archived_at IS NULL;
        CREATE INDEX verdicts_archived ON verdicts (task) WHERE archived_at IS NOT NULL;
        CREATE INDEX verdicts_assigned ON verdicts (assigned_to) WHERE assigned_to IS NOT NULL;
        CREATE INDEX examples_by_state ON examples (task, state) WHERE state IS NOT NULL;
        CREATE INDEX examples_waiting ON examples (task, queue) WHERE queue IS NOT NULL;
        """
    )
    from data.settling import settle_examples

    settle_examples(db, [row[0] for row in db.execute("SELECT id FROM examples")])


@migrations()
def m007_guidance(db: Database) -> None:
    """The reasoning guidance that was tried when a verdict was given, and what the version said with it; and what
    guidance alone makes of each suite: rows failed without and with it, by kind of guidance."""
    db["verdicts"].add_column("guidance", str, not_null_default="")
    db["verdicts"].add_column("guided_label", str)
    db["guided_results"].create(
        {
            "version_id": str,
            "suite": str,
            "kind": str,
            "task": str,
            "category": str,
            "rows": int,
            "failed": int,
            "failed_guided": int,
            "low": float,
            "high": float,
            "created_at": str,
        },
        pk=("version_id", "suite", "kind"),
        foreign_keys=[("version_id", "versions", "id")],
        not_null={"task", "category", "rows", "failed", "failed_guided", "low", "high", "created_at"},
    )


@migrations()
def m008_confidence_in_the_filters(db: Database) -> None:
    """The filters' indexes hold how sure the model was as well: a filter by it had to read every row."""
    db.executescript(
        """
        DROP INDEX verdicts_by_example;
        DROP INDEX verdicts_by_category;
        DROP INDEX verdicts_by_annotator;
        DROP INDEX verdicts_by_version;
        CREATE INDEX verdicts_by_example ON verdicts (
            example_id, annotator, kind, expected_label, category, predicted_label, version_id, archived_at,
            confidence);
        CREATE INDEX verdicts_by_category ON verdicts (
            task, category, kind, expected_label, predicted_label, annotator, version_id, confidence)
            WHERE archived_at IS NULL;
        CREATE INDEX verdicts_by_annotator ON verdicts (
            task, annotator, kind, expected_label, predicted_label, category, version_id, confidence)
            WHERE archived_at IS NULL;
        CREATE INDEX verdicts_by_version ON verdicts (
            task, version_id, kind, expected_label, predicted_label, category, annotator, confidence)
            WHERE archived_at IS NULL;
        DROP INDEX verdicts_by_confidence;
        CREATE INDEX verdicts_by_confidence ON verdicts (
            task, confidence, id, kind, expected_label, predicted_label) WHERE archived_at IS NULL;
        """
    )


@migrations()
def m009_jobs_go_on(db: Database) -> None:
    """State `interrupted`, `priority` (higher goes first) and `attempts` of a job.

    The states are a constraint, so the table is made anew; the rows come back before the foreign keys that refer to
    them are checked, at the transaction's end.
    """
    columns = [column.name for column in db["jobs"].columns]
    (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'jobs'").fetchone()
    named = ", ".join(columns)
    db.execute("PRAGMA defer_foreign_keys = ON")
    db.execute("CREATE TEMP TABLE kept_jobs AS SELECT * FROM jobs ORDER BY rowid")
    db.execute("DROP TABLE jobs")
    db.execute(sql.replace("'failed', 'done'", "'failed', 'interrupted', 'done'"))
    db.execute(f"INSERT INTO jobs ({named}) SELECT {named} FROM temp.kept_jobs")
    db.execute("DROP TABLE temp.kept_jobs")
    db.execute("CREATE INDEX jobs_by_state ON jobs (state, created_at)")
    db["jobs"].add_column("priority", int, not_null_default=0)
    db["jobs"].add_column("attempts", int, not_null_default=0)


@migrations()
def m010_any_script(db: Database) -> None:
    """Texts of scripts that part no words by spaces are found by any part of them: `words` is what the full-text
    index holds of an example, NULL where that is its text."""
    from data.scripts import apart

    db["examples"].disable_fts()
    db["examples"].add_column("words", str)
    db.conn.create_function("apart", 1, apart)
    db.executescript(
        """
        UPDATE examples SET words = apart(text) WHERE apart(text) != text;
        CREATE VIEW examples_index AS SELECT id, coalesce(words, text) AS text FROM examples;
        CREATE VIRTUAL TABLE examples_fts USING fts5(
            text, content='examples_index', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
        CREATE TRIGGER examples_fts_insert AFTER INSERT ON examples BEGIN
            INSERT INTO examples_fts (rowid, text) VALUES (new.id, coalesce(new.words, new.text));
        END;
        CREATE TRIGGER examples_fts_delete AFTER DELETE ON examples BEGIN
            INSERT INTO examples_fts (examples_fts, rowid, text)
                VALUES ('delete', old.id, coalesce(old.words, old.text));
        END;
        CREATE TRIGGER examples_fts_update AFTER UPDATE OF text, words ON examples BEGIN
            INSERT INTO examples_fts (examples_fts, rowid, text)
                VALUES ('delete', old.id, coalesce(old.words, old.text));
            INSERT INTO examples_fts (rowid, text) VALUES (new.id, coalesce(new.words, new.text));
        END;
        INSERT INTO examples_fts (examples_fts) VALUES ('rebuild');
        """
    )
