"""A trace that is known is found and subtracted, and an interval and its two one-sided tests say the same."""

import numpy as np
import pytest

from engine.bias.statistics.equivalence import mean_change, subtract_traces


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def generated(seed, n=300, trace=0.0, labels=False):
    """An invariant model on pictures of which those under value 1 carry a trace; A leans on what the model looks at."""
    random = np.random.default_rng(seed)
    signal = random.standard_normal(n)
    codes = (random.random(n) < sigmoid(signal)).astype(int)
    logits = np.stack([signal + trace * a + 0.3 * random.standard_normal(n) for a in range(2)], 1)
    if labels:
        return (logits > 0).astype(float), (signal > 0).astype(float), codes
    return sigmoid(logits), sigmoid(signal), codes


@pytest.mark.parametrize("trace", [-0.5, 0.1, 0.5])
def test_a_constant_trace_is_found_and_what_is_left_of_the_change_is_covered(trace):
    shifts, covered, raw = [], 0, 0
    for seed in range(200):
        under, original, codes = generated(seed, trace=trace)
        found = subtract_traces(under, original, codes, ("no", "yes"))
        assert [one.value for one in found.traces] == ["no", "yes"] and sum(one.n for one in found.traces) == 300
        shifts.append(found.traces[1].shift)
        assert found.traces[1].low < found.traces[1].shift < found.traces[1].high
        change, _ = mean_change("change", found.change(0, 1), None)
        covered += change.low <= 0 <= change.high
        change, _ = mean_change("raw", under[:, 1] - under[:, 0], None)
        raw += change.low <= 0 <= change.high
    assert np.mean(shifts) == pytest.approx(trace, abs=0.02)
    assert (
        covered >= 180 and raw < covered
    )  # 190 expected; an interval that knows nothing of the trace's own error misses more


def test_the_traces_uncertainty_widens_the_interval():
    under, original, codes = generated(0, trace=0.1)
    found = subtract_traces(under, original, codes, "ab")
    left = found.answers[:, 1] - found.answers[:, 0]
    assert found.change(0, 1).mean() == pytest.approx(left.mean()) and found.change(0, 1).std() > left.std()


def test_labels_lose_their_trace_on_average():
    under, original, codes = generated(1, n=2000, trace=0.8, labels=True)
    found = subtract_traces(under, original, codes, "ab")
    assert (
        abs(found.change(0, 1).mean()) < (under[:, 1] - under[:, 0]).mean() / 3
    )  # not none: the groups differ, and labels have no log-odds


def test_exact_counterfactuals_carry_no_trace_and_a_value_of_too_few_patients_has_none_known():
    under, original, codes = generated(2)
    under[np.arange(300), codes] = original
    exact = subtract_traces(under, original, codes, "ab")
    assert [one.shift for one in exact.traces] == [0, 0] and np.array_equal(exact.answers, under)
    under, original, codes = generated(2, trace=1.0)
    few = subtract_traces(
        under, original, codes, "ab", patients=np.where(codes == 1, np.arange(300) % 10, 100 + np.arange(300))
    )
    assert few.traces[1].low is None and few.traces[1].shift == 0 and few.traces[0].low is not None


@pytest.mark.parametrize("mean", [-0.08, -0.04, 0.0, 0.03, 0.06])
@pytest.mark.parametrize("choices", [1, 3])
def test_both_one_sided_tests_reject_exactly_where_the_interval_lies_within_the_margin(mean, choices):
    values = np.random.default_rng(3).normal(0, 0.1, 200)
    values += mean - values.mean()
    for margin in (0.01, 0.04, 0.05, 0.07, 0.1):
        change, two = mean_change("change", values, None, margin, choices)
        assert (two.p_value <= 0.025) == (-margin <= change.low and change.high <= margin)
        assert (two.p_below <= 0.025) == (change.low >= -margin) and (two.p_above <= 0.025) == (change.high <= margin)


def test_a_change_at_the_margin_is_called_too_small_in_one_of_forty_samples():
    called = sum(
        mean_change("change", np.random.default_rng(seed).normal(0.05, 0.2, 150), None)[1].p_value <= 0.025
        for seed in range(800)
    )
    assert 8 <= called <= 33  # 20 expected


def test_an_interval_never_has_width_0_and_many_pictures_of_a_patient_are_one_patient():
    change, two = mean_change("change", np.zeros(100), None)
    assert change.low < 0 < change.high and change.high == pytest.approx(0.037, abs=0.001) and two.p_value < 0.025
    change, two = mean_change("change", np.zeros(100), np.arange(100) // 10)
    assert change.high > 0.25 and two.p_value > 0.025
    change, two = mean_change("change", np.zeros(100), np.zeros(100))
    assert change.low is None and two.p_value == 1
