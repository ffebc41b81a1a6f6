"""The database behind the store: a file of SQLite in the folder of OTHERWISE_DATA, PostgreSQL by its address, or, with
neither, memory.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError, TimeoutError
from sqlalchemy.pool import StaticPool

FOLDER, ADDRESS = "OTHERWISE_DATA", "OTHERWISE_DATABASE"
FILE = "review.sqlite"
MEMORY = "sqlite://"
PATIENCE = 20  # seconds that a save waits for others
WRITERS_LOCK = 0x6F746865  # PostgreSQL's advisory lock that every writer takes
MIGRATIONS = Path(__file__).parent / "migrations"


class UnusableStore(OSError):
    """The database cannot be opened; the message is one sentence."""


class NotSaved(OSError):
    """The database did not take a save, and nothing of it is kept; the message is one sentence."""


def address(environment: Mapping[str, str] | None = None) -> str:
    """Which database the environment names: OTHERWISE_DATABASE, else a file in OTHERWISE_DATA, else memory.

    Raises:
        UnusableStore: the folder cannot be made.
    """
    environment = os.environ if environment is None else environment
    if named := environment.get(ADDRESS, "").strip():
        return named
    if not (folder := environment.get(FOLDER, "").strip()):
        return MEMORY
    try:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableStore(f"{FOLDER} names a folder that cannot be made ({error.strerror}).") from None
    return f"sqlite:///{Path(folder).resolve() / FILE}"


def is_there(url: str) -> bool:
    """Whether a file of SQLite is there; of PostgreSQL that is only known once it is opened."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return True  # opening it says what is wrong
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").is_file()


class Database:
    """Transactions on one database, which is brought up to date when it is opened.

    Args:
        url: sqlite:///FILE, postgresql://USER@HOST/NAME, or `MEMORY`, which lasts as long as this object.

    Raises:
        UnusableStore: it is out of reach, is none of ours, or was written by a later version.
    """

    def __init__(self, url: str = MEMORY):
        self.engine = _engine(url)
        self.in_memory = url == MEMORY
        self._one_by_one = threading.RLock() if self.in_memory else nullcontext()  # memory has one connection
        try:
            with self._begin("write") as connection:
                _upgrade(connection)
        except SQLAlchemyError as error:
            self.close()
            raise UnusableStore(f"The database of the reviews cannot be opened ({_reason(error)}).") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of every connection."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database.

        Raises:
            UnusableStore: the database is out of reach.
        """
        try:
            with self._begin("read") as connection:
                yield connection
        except SQLAlchemyError as error:
            raise UnusableStore(f"The database of the reviews cannot be read ({_reason(error)}).") from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on the disk when the block is left, and alone among all writers.

        Raises:
            NotSaved: the disk is full, or the database is out of reach; nothing of the block is kept.
        """
        try:
            with self._begin("write") as connection:
                yield connection
        except SQLAlchemyError as error:
            raise NotSaved(f"Nothing was saved: {_reason(error)}.") from error

    @contextmanager
    def _begin(self, kind: str) -> Iterator[Connection]:
        with self._one_by_one, self.engine.connect() as plain:
            connection = plain.execution_options(kind=kind)
            with connection.begin():
                if kind == "write" and self.engine.dialect.name == "postgresql":
                    connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITERS_LOCK})
                yield connection


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise UnusableStore(f"{ADDRESS} names sqlite:///FILE or postgresql://USER@HOST/NAME.")
        if parsed.get_backend_name() == "postgresql":
            return create_engine(
                parsed,
                pool_pre_ping=True,
                pool_timeout=PATIENCE,
                connect_args={"connect_timeout": PATIENCE},
            )
        if url == MEMORY:
            engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        else:
            _make_private(Path(parsed.database or ""))
            engine = create_engine(parsed, connect_args={"timeout": PATIENCE})
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        said = str(error).splitlines()[0] if isinstance(error, ImportError) else "it is no address of a database"
        raise UnusableStore(f"{ADDRESS} cannot be used: {said}.") from None
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin_itself)
    return engine


def _make_private(file: Path) -> None:
    """A new file is for its owner only; the journal beside it takes that over."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise UnusableStore(f"The database of the reviews cannot be opened ({error.strerror}).") from None


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    """A commit is on the disk when it returns, and whoever reads waits for no writer."""
    connection.isolation_level = None  # transactions begin in `_begin_itself`
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin_itself(connection: Connection) -> None:
    write = connection.get_execution_options().get("kind") == "write"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _upgrade(connection: Connection) -> None:
    """Brings the tables up to date, within the transaction of `connection`."""
    from alembic import command  # only here: half a second to import
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise UnusableStore(
            "The database of the reviews was written by a later version of Otherwise; use that one."
        ) from None


def _reason(error: SQLAlchemyError) -> str:
    """Why, in a few words that name no host and no password."""
    code = getattr(error.orig, "sqlite_errorname", "") if isinstance(error, DBAPIError) else ""
    state = getattr(error.orig, "sqlstate", "") if isinstance(error, DBAPIError) else ""
    if code == "SQLITE_FULL" or state == "53100":
        return "the disk is full"
    if code.startswith("SQLITE_BUSY") or state == "55P03" or isinstance(error, TimeoutError):
        return f"others were saving for more than {PATIENCE} seconds"
    if code == "SQLITE_NOTADB":
        return "the file is no database"
    if code.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN")) or state == "42501":
        return "it may not be written to"
    if code.startswith("SQLITE_IOERR"):
        return "the disk does not take it"
    if code.startswith("SQLITE_CORRUPT"):
        return "the file is damaged"
    return "it is out of reach" if isinstance(error, DBAPIError) and not code else "it does not answer as it should"
