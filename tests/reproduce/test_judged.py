"""The judges are judged: a measure that ranks as the truth does scores 1, one that does not 0, and one turned round is
recognised.
"""

import numpy as np
import pytest

from engine.metrics.measure import Measure
from engine.reproduce.comparisons import Compared
from engine.reproduce.judged import FEWEST, agreement, draw, judged, table

METHODS, FINDINGS = 9, ("Edema", "Effusion")


def found():
    """Methods whose recovery rises; ssim follows it, deletion falls with it, sparseness knows nothing."""
    random = np.random.default_rng(1)
    compared = []
    for m in range(METHODS):
        rows = []
        for finding in FINDINGS:
            values = {"recovery": m / 10, "ssim": m**2 / 100, "deletion": 1 - m / 9, "sparseness": random.random()}
            rows += [Measure(metric, finding, value, None, None, 4) for metric, value in values.items()]
            rows.append(Measure("recovery", finding, -5.0, None, None, 4, variant="random map"))
            rows.append(Measure("composition", finding, m / 9, None, None, 4, variant="after 1 round"))
        compared.append(Compared(f"method {m}", rows, []))
    return compared


def test_ranks_that_agree_score_one_and_measures_of_which_less_is_better_are_turned_round():
    rows = {row.variant: row for row in judged(found(), "drawn films")}
    assert rows["ssim and recovery"].value == pytest.approx(1) == rows["deletion and recovery"].value
    assert rows["composition, after 1 round and recovery"].value == pytest.approx(-1)
    row = rows["sparseness and recovery"]
    assert abs(row.value) < 0.6 and row.low < 0 < row.high and row.n == METHODS and row.model == "drawn films"
    assert rows["ssim and recovery"].low == pytest.approx(1)


def test_few_methods_are_no_correlation():
    assert judged(found()[: FEWEST - 1], "drawn films") == []
    values = table(found())
    assert np.isnan(agreement(values["ssim"], values["recovery"], np.array([0, 1, 1, 2, 2, 3])))


def test_the_random_map_is_no_method_and_what_was_not_measured_is_left_out():
    entrants = found()
    entrants[0] = Compared("method 0", [row for row in entrants[0].rows if row.metric != "ssim"], [])
    values = table(entrants)
    assert values["recovery"].min() == 0 and values["recovery"].shape == (METHODS, len(FINDINGS))
    assert np.isnan(values["ssim"][0]).all() and np.isfinite(values["ssim"][1:]).all()


def test_the_picture_is_drawn(tmp_path):
    draw(judged(found(), "drawn films"), tmp_path / "folder" / "judged.png")
    assert (tmp_path / "folder" / "judged.png").read_bytes()[:4] == b"\x89PNG"
