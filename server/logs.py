"""What is logged names no session: with a session's identifier, files could be sent into it."""

from __future__ import annotations

import logging
import re

IDENTIFIER = re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b", re.IGNORECASE)
SPEAKERS = ("streamlit", "uvicorn", "starlette", "server", "pages")


def name_no_session() -> None:
    """From here on, an identifier in the message of a server's log record is replaced by a word; once is enough."""
    make = logging.getLogRecordFactory()
    if getattr(make, "names_no_session", False):
        return

    def made(*args, **kwargs) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if record.name.partition(".")[0] in SPEAKERS:
            try:
                words = record.getMessage()
            except (TypeError, ValueError):  # a message that does not fit its arguments; whoever writes it says so
                return record
            if IDENTIFIER.search(words):
                record.msg, record.args = IDENTIFIER.sub("(a session)", words), ()
        return record

    made.names_no_session = True
    logging.setLogRecordFactory(made)
