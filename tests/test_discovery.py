"""What a package's modules declare is read from their files, and told where it cannot be."""

import sys
from textwrap import dedent
from types import MappingProxyType

import pytest

import engine
from engine.discovery import declared, packages_imported


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes modules of a package of its own and gives its name."""

    def write(**modules):
        folder = tmp_path / "declaring"
        folder.mkdir()
        for name, text in {"__init__": "", **modules}.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        return "declaring"

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    declared.cache_clear()
    sys.modules.pop("declaring", None)


def test_names_are_read_without_importing_the_modules(package):
    name = package(one='NAMES = ("a", "b")\nimport nothing_of_that_name\n', two='NAMES = ("c",)\n', three="OTHER = 3\n")
    assert declared(name, "NAMES") == {"a": "declaring.one", "b": "declaring.one", "c": "declaring.two"}
    assert isinstance(declared(name, "NAMES"), MappingProxyType) and "declaring.one" not in sys.modules


def test_a_name_that_two_modules_declare_is_refused(package):
    name = package(one='NAMES = ("a",)\n', two='NAMES = ("b", "a")\n')
    with pytest.raises(ValueError, match=r"declaring.one and declaring.two both declare 'a'"):
        declared(name, "NAMES")


@pytest.mark.parametrize("said", ['"auc"', '["auc"]', "(1,)", '("",)', "tuple(found)", '("auc", AREA)'])
def test_what_is_no_tuple_of_names_is_refused(package, said):
    with pytest.raises(ValueError, match="NAMES of declaring.one must be a tuple of names"):
        declared(package(one=f"NAMES = {said}\n"), "NAMES")


def test_what_only_type_checkers_read_is_not_imported(tmp_path, monkeypatch):
    text = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from only_for_checkers import Anything
        else:
            import at_run_time
        def later():
            if TYPE_CHECKING:
                import only_for_checkers_too
            import in_a_function
    """
    (tmp_path / "checked.py").write_text(dedent(text), encoding="utf-8")
    monkeypatch.setattr("engine.__path__", [*engine.__path__, str(tmp_path)])
    assert packages_imported("engine.checked") == {"at_run_time", "in_a_function"}
