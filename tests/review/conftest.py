"""Both databases that the store takes: a file of SQLite, and a PostgreSQL server that is started for the tests."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from engine.review.store import Store

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # where Debian puts them


def _account():
    """Whom the server runs as: it refuses root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Server:
    """A PostgreSQL server in a folder of its own, reached by a socket in that folder."""

    def __init__(self, folder, programs):
        self.folder, self.programs, self.names = folder, programs, 0
        self._run("initdb", "-D", folder / "data", "-A", "trust", "-U", "reader", "-E", "UTF8", "--no-sync")
        self.start()

    def _run(self, program, *words):
        subprocess.run(
            [self.programs / program, *words], check=True, capture_output=True, timeout=60, cwd="/", **_account()
        )

    def start(self):
        # Without fsync a loss of power may lose data; a process that is killed loses none, and that is tested.
        options = f"-c listen_addresses= -k {self.folder} -c shared_buffers=16MB -c fsync=off"
        log = self.folder / "server.log"
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-t", "50", "-l", log, "-o", options, "start")

    def stop(self, how="fast"):
        self._run("pg_ctl", "-D", self.folder / "data", "-m", how, "-w", "stop")

    def database(self):
        """The address of a new, empty schema; a database of its own takes far longer to make and to remove."""
        self.names += 1
        name = f"reviews_{self.names}"
        url = f"postgresql+psycopg://reader@/postgres?host={self.folder}"
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
        engine.dispose()
        return f"{url}&options=-csearch_path%3D{name}"


@pytest.fixture(scope="session")
def postgresql():
    programs = PROGRAMS[-1].parent if PROGRAMS else Path(shutil.which("initdb") or "").parent
    if not (programs / "pg_ctl").exists():
        pytest.skip("There is no PostgreSQL here; on Debian, apt-get install postgresql.")
    if os.geteuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and there is no account postgres.")
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"  # a socket's path must be short
    with tempfile.TemporaryDirectory(prefix="pg", dir=where) as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        server = Server(folder, programs)
        yield server
        server.stop("immediate")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The address of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'review.sqlite'}"
    return request.getfixturevalue("postgresql").database()


@pytest.fixture
def open_store():
    """Opens stores that are closed after the test."""
    stores = []

    def opened(url):
        stores.append(Store(url))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def store(url, open_store):
    return open_store(url)
