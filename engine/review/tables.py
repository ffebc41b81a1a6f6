"""The tables of the store. `migrations/` makes them; a test compares the two."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

METADATA = MetaData()

CASES = Table(
    "cases",
    METADATA,
    Column("scan_sha256", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("changed", String(32), nullable=False),
    Column("changed_by", String(80), nullable=False),
    Column("facts", Text, nullable=False),  # JSON of ScanFacts; empty where nobody said
)

ANNOTATIONS = Table(
    "annotations",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("scan_sha256", String(64), ForeignKey("cases.scan_sha256"), nullable=False),
    Column("place", Integer, nullable=False),  # in the order of drawing
    Column("body", Text, nullable=False),  # JSON of the record, as in the log
    Index("annotations_of_a_case", "scan_sha256"),
)

ANSWERS = Table(  # readings and opinions: each is kept once and never changed
    "answers",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("number", Integer, nullable=False),  # of its entry in the log
    Column("scan_sha256", String(64), nullable=False),
    Column("kind", String(16), nullable=False),  # reading or opinion
    Column("reader", String(80), nullable=False),
    Column("body", Text, nullable=False),
    Index("answers_of_a_case", "scan_sha256", "kind"),
)

ASSIGNMENTS = Table(  # who is to read which scan
    "assignments",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("scan_sha256", String(64), nullable=False),
    Column("assignee", String(80), nullable=False),
    Column("body", Text, nullable=False),
    Index("an_assignee_once", "scan_sha256", "assignee", unique=True),
)

LOG = Table(  # append-only: triggers refuse every update and deletion
    "audit_log",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3 ... without a gap
    Column("at", String(32), nullable=False),
    Column("reader", String(80), nullable=False),
    Column("action", String(32), nullable=False),
    Column("scan_sha256", String(64), nullable=False),
    Column("subject", String(32), nullable=False),  # id of the record; empty for the case itself
    Column("revision", Integer, nullable=False),  # of the case, after it
    Column("body", Text, nullable=False),  # JSON: what stands afterwards
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("log_of_a_case", "scan_sha256"),
)
