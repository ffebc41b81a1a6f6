"""No log line names a session."""

import logging
import uuid

from server import logs


def test_a_session_is_never_named_in_a_log(caplog):
    before = logging.getLogRecordFactory()
    logs.name_no_session()
    logs.name_no_session()
    try:
        session = uuid.uuid4()
        with caplog.at_level(logging.INFO):
            for name in ("streamlit.runtime.websocket_session_manager", "uvicorn.error", "pages.components.common"):
                logging.getLogger(name).warning("Session with id %s is already connected! %s", session, session.hex)
                logging.getLogger(name).warning("/_stcore/upload_file/%s/file", str(session).upper())
            logging.getLogger("streamlit").warning("%d of %d files", 3, 4)
        assert len(caplog.messages) == 7 and "3 of 4 files" in caplog.messages
        assert not any(str(session) in line.lower() or session.hex in line for line in caplog.messages)
    finally:
        logging.setLogRecordFactory(before)
