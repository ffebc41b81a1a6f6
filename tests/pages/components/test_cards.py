"""A card is shown whole and loads nothing; of its measures one is found with its interval."""

import re
from dataclasses import replace

import pytest

from engine.checkpoints.metrics import table
from engine.metrics.measure import Measure
from pages.components import cards

ROWS = [
    Measure("auc", "Effusion", 0.8123, 0.76, 0.86, 180, chance=0.5),
    Measure("sensitivity", "Effusion", 0.7, 0.6, 0.79, 60),
    Measure("confounder_sensitivity", "Effusion", 0.25, None, None, 400, chance=0.1),
]
CARD = (
    f"# nih: Attri-Net\n\n## Metrics\n\nOn the test part.\n\n{table(ROWS, ['not measured: x'])}\n\n## "
    f"Subgroups\n\n{table(ROWS[:1])}\n"
)


def test_a_rate_without_an_interval_is_not_used():
    assert cards.rate(ROWS, "sensitivity", "Effusion").value == 0.7
    assert cards.rate(ROWS, "confounder_sensitivity", "Effusion") is None
    assert cards.rate(ROWS, "sensitivity", "Edema") is None
    assert cards.rate([replace(ROWS[1], variant="of those called")], "sensitivity", "Effusion") is None


@pytest.mark.parametrize(
    "card",
    [
        "![x](http://evil.example/x.png)",
        "!![x](http://evil.example/x.png)",
        "![x][y]\n\n[y]: http://evil.example/x.png",
        "<img src=http://evil.example/x.png>",
        "<svg><image href='http://evil.example/x'/></svg>",
        "a <iframe src='//evil.example'></iframe>",
        "<style>@import 'http://evil.example'</style>",
        "| a |\n|---|\n| ![x](http://evil.example/x.png) |",
        "[![x](http://evil.example/x.png)](http://evil.example)",
        "[x](javascript:alert(1))",
    ],
)
def test_a_card_loads_nothing_whatever_stands_in_it(card):
    html = cards.to_html(card)
    assert set(re.findall(r"<(\w+)", html)) <= {"div", "p", "a", "table", "thead", "tbody", "tr", "th", "td"}
    assert "javascript:" not in re.sub(r">[^<]*<", "><", html)


def test_a_card_keeps_its_headings_tables_and_links():
    html = cards.to_html(CARD + "\n[paper](https://example.org)\n")
    assert "<h2>Metrics</h2>" in html and "<td>0.812" in html
    assert '<a href="https://example.org" target="_blank" rel="noopener noreferrer">' in html
