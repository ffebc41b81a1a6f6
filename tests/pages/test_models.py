"""The charts of the page Models: names that can be read whole, beside intervals that keep their room."""

import pytest

from engine.metrics.measure import Measure
from pages.components import common

LONG = (
    "patients 1 to 3970, the range that all normal films come from (Pneumonia, Infiltration, Atelectasis, Effusion "
    "only)"
)


@pytest.fixture
def plot(monkeypatch):
    monkeypatch.setattr(common, "inside_app_frame", lambda: False)  # the page's functions, not the page
    from pages.models import interval_plot

    return interval_plot


def test_a_long_name_is_broken_into_lines_that_no_other_row_runs_into(plot):
    rows = [Measure("auc", subject, 0.7, 0.6, 0.8, 100) for subject in ("sex_F", LONG, "sex_M")]
    figure = plot(rows, 0.5, "AUC")
    names, places = figure.layout.yaxis.ticktext, figure.layout.yaxis.tickvals
    assert names[0] == "sex F" and names[1].replace("<br>", " ") == LONG
    assert all(len(line) <= 28 for line in names[1].split("<br>"))
    lines = names[1].count("<br>") + 1
    assert (
        places[1] - places[0] == places[2] - places[1] >= 16 * (1 + lines) / 2
    )  # half the height of each of the two names
    assert [*figure.data[0].y] == [*places] and figure.layout.height > figure.layout.yaxis.range[0]
