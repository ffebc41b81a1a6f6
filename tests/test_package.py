"""What is installed from a wheel runs from any folder, and adds one name to those that can be imported."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request

import pytest
from pydicom.data import get_testdata_file

from engine import __version__
from engine.tables import as_json
from tests.places import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TREE = ("engine", "pages", "server", "viewer", "checkpoints")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which a wheel of this tree was installed, without what it depends on."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    offline = {**os.environ, "PIP_NO_INDEX": "1"}
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = [*pip, "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    subprocess.run(build, check=True, env=offline, timeout=200)
    (wheel,) = wheels.iterdir()
    subprocess.run(
        [*pip, "install", str(wheel), "--no-deps", "--target", str(site)], check=True, env=offline, timeout=200
    )
    return site


def otherwise(installed, *words):
    """The installed command's process, as far away from the repository as can be: (command, environment)."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return [sys.executable, str(installed / "bin" / "otherwise"), *words], environment | {"PYTHONPATH": str(installed)}


def run(installed, folder, *words):
    command, environment = otherwise(installed, *map(str, words))
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)


def test_installing_adds_one_name(installed):
    names = {path.name for path in installed.iterdir()}
    assert names == {"otherwise", f"otherwise-{__version__}.dist-info", "bin"}


def test_the_wheel_holds_everything_that_the_repository_runs(installed):
    def files(folder):
        found = (path.relative_to(folder) for part in TREE for path in (folder / part).rglob("*") if path.is_file())
        return {str(path) for path in found if "__pycache__" not in path.parts}

    assert files(installed / "otherwise") == files(ROOT)
    for name in ("app.py", "requirements.txt", ".streamlit/config.toml"):
        assert (installed / "otherwise" / name).read_bytes() == (ROOT / name).read_bytes()
    assert not (installed / "otherwise" / ".streamlit" / "secrets.toml").exists()


def test_the_installed_doctor_opens_every_shipped_checkpoint(installed, tmp_path):
    ended = run(installed, tmp_path, "doctor", "--json", "doctor.json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = json.loads((tmp_path / "doctor.json").read_text())
    shipped = {f"checkpoint {path.name}" for path in (ROOT / "checkpoints").iterdir()}
    assert shipped <= {row["name"] for row in said["rows"] if row["ok"]}
    assert said["version"] == __version__


def test_the_installed_command_explains_a_scan_from_another_folder(installed, tmp_path):
    scan = get_testdata_file("RG1_UNCR.dcm", download=False)
    ended = run(installed, tmp_path, "explain", scan, "--checkpoint", "cx-gan-phantom", "--out", "why")
    assert ended.returncode == 0, ended.stderr
    record = json.loads((tmp_path / "why" / "explanation.json").read_text())
    assert record["explanations"] and record["version"] == __version__


def test_the_installed_command_serves_the_app_with_its_own_settings(installed, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command, environment = otherwise(installed, "app", "--port", str(port))
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        served = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 100
        while time.monotonic() < deadline and served.poll() is None:
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
                    assert answer.read() == b"ok"
                break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.fail(log.read_text())
        foreign = urllib.request.Request(f"{address}/", headers={"Host": "elsewhere.example.org"})
        with pytest.raises(urllib.error.HTTPError, match="403"):  # the server's own doors stand before it
            urllib.request.urlopen(foreign, timeout=20)
    finally:
        served.terminate()
        served.wait(timeout=30)


def test_every_place_says_the_same_version(engine, installed, tmp_path):
    said = {
        engine("--version")[1].split()[-1],
        run(installed, tmp_path, "--version").stdout.split()[-1],
        json.loads(as_json("doctor", []))["version"],
        re.search(r"(?m)^Version: (.+)$", next(installed.glob("*.dist-info/METADATA")).read_text())[1],
    }
    assert said == {__version__}


def test_a_file_of_the_working_directory_never_takes_the_place_of_a_module(installed, tmp_path):
    (tmp_path / "engine.py").write_text("raise SystemExit('the wrong engine')")
    ended = run(installed, tmp_path, "--version")
    assert ended.returncode == 0, ended.stderr


def test_without_streamlit_the_app_is_one_sentence(engine, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, out, err = engine("app")
    assert code == 1 and not out and "streamlit" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "listed"),
    [
        ("requirements.txt", PYPROJECT["project"]["dependencies"]),
        ("requirements-dev.txt", PYPROJECT["project"]["optional-dependencies"]["dev"]),
    ],
)
def test_pyproject_requires_what_the_requirement_files_do(file, listed):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    assert listed == [line for line in lines if re.match(r"\w", line)]


def test_the_tool_that_builds_is_the_one_that_is_pinned():
    assert PYPROJECT["build-system"]["requires"][0] in PYPROJECT["project"]["optional-dependencies"]["dev"]
