"""Which database is opened, what its tables are, and one sentence for whatever cannot be opened."""

import json
import sqlite3
import stat

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from engine.review.database import MEMORY, Database, UnusableStore, address
from engine.review.migrations.versions import assignments, first_tables
from engine.review.store import Store
from engine.review.tables import METADATA
from tests.review.test_records import annotation

SCAN = "ab" * 32


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store):
    """Run by `env`, on the connection that the store opened."""
    with store.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == assignments.revision


def test_a_database_of_the_first_version_is_brought_up_to_date_with_all_that_it_holds(store, url, open_store):
    case = store.save(SCAN, [annotation()], base=0, reader="A")
    with store.database.writing() as connection:
        connection.execute(text("DROP TABLE assignments"))
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{first_tables.revision}'"))
    newer = open_store(url)
    assert newer.case(SCAN) == case and newer.assignments() == ()
    newer.assign([SCAN], "B", reader="A")
    assert newer.verify().faults == ()


def test_the_environment_names_an_address_a_folder_or_memory(tmp_path):
    folder = tmp_path / "a" / "b"
    assert address({}) == address({"OTHERWISE_DATA": " "}) == MEMORY
    assert address({"OTHERWISE_DATA": str(folder)}) == f"sqlite:///{folder / 'review.sqlite'}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert address({"OTHERWISE_DATA": str(folder), "OTHERWISE_DATABASE": "postgresql://h/n"}) == "postgresql://h/n"
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableStore, match="cannot be made"):
        address({"OTHERWISE_DATA": str(tmp_path / "file" / "x")})


def test_in_memory_nothing_is_written_and_each_store_is_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = Store(), Store()
    assert one.in_memory and one.save(SCAN, [annotation()], base=0, reader="A").revision == 1
    assert other.case(SCAN).revision == 0 and not list(tmp_path.iterdir())


def test_a_file_is_for_its_owner_only(tmp_path, open_store):
    open_store(f"sqlite:///{tmp_path / 'review.sqlite'}").save(SCAN, [annotation()], base=0, reader="A")
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in tmp_path.iterdir()} == {0}


def test_what_is_no_database_of_ours_is_refused_in_one_sentence(tmp_path, url, open_store):
    (tmp_path / "text").write_text("no database, but some text that is long enough to be looked at " * 30)
    for wrong in (
        f"sqlite:///{tmp_path / 'text'}",
        f"sqlite:///{tmp_path / 'no' / 'such' / 'folder'}",
        "mysql://host/name",
        "nonsense",
        "oracle+cx://x",
        "postgresql://reader@127.0.0.1:1/name",
    ):
        with pytest.raises(UnusableStore) as refused:
            Database(wrong)
        assert str(refused.value).endswith(".") and "\n" not in str(refused.value) and "127.0.0.1" not in str(refused)


def test_a_database_of_a_later_version_is_refused(url, open_store):
    store = open_store(url)
    with store.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnusableStore, match="later version"):
        Database(url)


def test_verify_ends_well_on_a_whole_log_and_not_on_one_that_was_changed(tmp_path, engine, monkeypatch, open_store):
    monkeypatch.delenv("OTHERWISE_DATABASE", raising=False)
    monkeypatch.delenv("OTHERWISE_DATA", raising=False)
    code, _, err = engine("review", "verify")
    assert code == 1 and "OTHERWISE_DATA" in err and err.count("\n") == 1
    monkeypatch.setenv("OTHERWISE_DATA", str(tmp_path))
    code, _, err = engine("review", "verify")
    assert code == 1 and "no database of reviews yet" in err and not list(tmp_path.iterdir())
    open_store(address()).save(SCAN, [annotation()], base=0, reader="A")
    code, out, _ = engine("review", "verify", "--json", tmp_path / "log.json")
    row = json.loads((tmp_path / "log.json").read_text())["rows"][0]
    assert code == 0 and "1 entries" in out and row["ok"] and row["head"] in out
    assert engine("review", "verify", "--head", row["head"])[0] == 0
    assert engine("review", "verify", "--head", "0" * 63 + "1")[0] == 1
    with sqlite3.connect(tmp_path / "review.sqlite") as file:
        file.execute('UPDATE annotations SET body = replace(body, \'"reader":"R. One"\', \'"reader":"X"\')')
    file.close()
    code, out, err = engine("review", "verify", "--json", tmp_path / "log.json")
    assert code == 1 and "is not what the log says" in out and err.count("\n") == 1
    assert not json.loads((tmp_path / "log.json").read_text())["rows"][0]["ok"]
