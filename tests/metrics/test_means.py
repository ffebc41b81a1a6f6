"""The mean over findings: of one variant, with the mean of the intervals, and none for a single finding."""

from engine.metrics.means import mean_over
from engine.metrics.measure import Measure
from engine.metrics.subjects import MEAN_OVER_FINDINGS


def row(finding, value, variant="", chance=None):
    return Measure("road", finding, value, value - 0.1, value + 0.1, n=3, chance=chance, variant=variant)


def test_the_mean_is_of_one_variant_and_takes_the_mean_of_the_intervals():
    rows = [row("a", 0.2, chance=0.0), row("b", 0.4, chance=0.1), row("a", 0.9, "other")]
    (mean,) = mean_over(rows, "road")
    assert (mean.finding, mean.variant, mean.n) == ("", MEAN_OVER_FINDINGS, 6)
    assert [round(v, 6) for v in (mean.value, mean.low, mean.high, mean.chance)] == [0.3, 0.2, 0.4, 0.05]
    assert mean_over(rows, "road", "other") == [] == mean_over(rows, "deletion")
