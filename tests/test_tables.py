"""Tables line up for a reader, and JSON files are whole or absent."""

import json

import pytest

from engine import __version__
from engine.metrics.measure import Measure
from engine.tables import number, show, write_json

ROWS = [
    Measure("auc", "Cardiomegaly", 0.8734, 0.8512, 0.8956, 2000, chance=0.5, paper=0.875),
    Measure("confounder_sensitivity", "tag", 0.747, None, None, 438, chance=0.1, remark="no interval"),
]


def test_every_number_stands_in_its_column():
    head, rule, first, second, blank, note = show(ROWS).splitlines()
    assert first.split() == ["auc", "Cardiomegaly", "0.873", "0.851", "to", "0.896", "2000", "0.500", "0.875"]
    assert second.split() == ["confounder_sensitivity", "tag", "0.747", "-", "438", "0.100", "-"]
    assert first.index("0.873") + 5 == second.index("0.747") + 5 == head.index("value") + 5
    assert head.index("95 % interval") == first.index("0.851 to") and len(rule) >= len(head)
    assert blank == "" and note == "confounder_sensitivity, tag: no interval"


def test_columns_that_nobody_fills_are_left_out():
    table = show([Measure("ssim", "all", 0.9, 0.8, 0.95, 3)], remarks=["Edema has 0 positive pictures"])
    assert "chance" not in table and "paper" not in table and table.endswith("Edema has 0 positive pictures")


def test_a_remark_that_several_share_is_said_once():
    rows = [
        Measure("effect", name, 0.5, None, None, 3, remark="of a fixed classifier") for name in ("Edema", "Effusion")
    ]
    assert show(rows).splitlines()[-1] == "effect, Edema; Effusion: of a fixed classifier"


def test_a_table_of_nothing_is_still_a_table():
    assert show([]).splitlines()[0].split()[0] == "metric"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0.000"), (0.5, "0.500"), (2e-7, "2e-07"), (-0.00042, "-0.00042"), (31.25, "31.250")],
)
def test_numbers_are_never_rounded_away(value, text):
    assert number(value) == text


def test_json_holds_the_same_numbers(tmp_path):
    path = tmp_path / "new" / "rows.json"
    write_json(path, "evaluate", [*ROWS, {"name": "explain", "ratio": 2.0}])
    read = json.loads(path.read_text())
    assert read == {
        "command": "evaluate",
        "version": __version__,
        "rows": [ROWS[0].row(), ROWS[1].row(), {"name": "explain", "ratio": 2.0}],
    }
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_scraps(tmp_path, monkeypatch):
    path = tmp_path / "rows.json"
    write_json(path, "evaluate", ROWS)
    before = path.read_text()
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, "bench", [{"ratio": float("nan")}])

    def refuse(*_):
        raise OSError("no space left")

    monkeypatch.setattr("engine.files.os.replace", refuse)
    with pytest.raises(OSError, match="no space"):
        write_json(path, "bench", ROWS)
    assert path.read_text() == before and list(tmp_path.iterdir()) == [path]
