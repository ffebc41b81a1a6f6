"""What every registered method promises, on a small checkpoint with random weights: one test, every method."""

import json

import numpy as np
import pytest

from engine import registry
from engine.checkpoints.detector import CheckpointDetector
from engine.checkpoints.format import RefusedCheckpoint, save_checkpoint
from engine.preprocessing import enlarged, enlarged_volume
from engine.registry import Method, UnsuitableScan, choose_device, method, methods, open_model, register
from engine.scan import KINDS
from tests.contract.scans import SCANS, SLICES, film, pixels_for, scan_for, scan_of, volume
from tests.contract.volume_method import VolumeMethod

METHODS = sorted(methods())


@pytest.fixture(scope="module", params=[*METHODS, VolumeMethod.name])
def opened(request, tmp_path_factory):
    """(method, model) of a small checkpoint."""
    if request.param == VolumeMethod.name:
        register(VolumeMethod)
    entry = methods()[request.param]
    yield entry, open_model(entry.tiny(tmp_path_factory.mktemp(request.param) / "tiny"), "cpu")
    if request.param == VolumeMethod.name:
        del registry._methods[VolumeMethod.name]


def suitable(entry, name):
    """The scan of `SCANS` called `name`; a method that does not take scans of unstated kind is not tried on one."""
    scan = SCANS[name](entry)
    if entry.kinds and scan.kind not in entry.kinds:
        pytest.skip(f"{entry.title} takes no scan of kind {scan.kind}.")
    return scan


def on_the_scan(grid, shape):
    return enlarged(grid, shape) if len(shape) == 2 else enlarged_volume(grid, shape)


def test_every_method_declares_what_it_offers():
    assert METHODS
    for name, entry in methods().items():
        assert isinstance(entry, Method) and entry.name == name == name.lower()
        for text in (entry.title, entry.paper, entry.evidence_name):
            assert isinstance(text, str) and text
        assert all(isinstance(flag, bool) for flag in (entry.signed, entry.counterfactuals, entry.has_centres))
        assert {"demo", "gpu", "paper"} <= {*entry.presets()} or not entry.trainable


@pytest.mark.parametrize("name", SCANS)
def test_an_explanation_keeps_its_promises(opened, name):
    entry, model = opened
    scan = suitable(entry, name)
    before = scan.pixels.copy()
    records = model.explain(scan)
    assert [record.finding for record in records] == list(model.findings)
    probabilities = model.predict_proba(scan)
    assert probabilities.dtype == np.float32 and probabilities.shape == (len(model.findings),)
    for c, record in enumerate(records):
        assert record.scan_sha256 == scan.sha256 and record.checkpoint_sha256 == model.checkpoint.sha256
        assert record.checkpoint_identity == model.checkpoint.identity
        assert record.probability == pytest.approx(float(probabilities[c]), abs=1e-5)
        assert record.threshold == pytest.approx(float(model.thresholds[c]))
        assert (record.counterfactual is not None) == (record.path is not None) == entry.counterfactuals
        fields = [record.attribution, record.evidence]
        if entry.counterfactuals:
            fields += [record.counterfactual, record.path.changes]
            assert record.counterfactual.shape == scan.pixels.shape
            assert ((record.path.probabilities >= 0) & (record.path.probabilities <= 1)).all()
        assert record.attribution.shape == scan.pixels.shape
        for field in fields:
            assert field.dtype == np.float32 and np.isfinite(field).all()
        assert np.array_equal(record.attribution, on_the_scan(record.evidence, scan.pixels.shape))
        assert (record.regions is not None) == entry.has_regions
        assert entry.signed or record.attribution.min() >= 0
        assert record.attribution_limit > 0 and record.attribution_unit
        assert record.seconds > 0
        assert record.in_distribution is None or np.isfinite(record.in_distribution).all()
        json.dumps(record.record(), allow_nan=False)
    assert np.array_equal(scan.pixels, before)


@pytest.mark.parametrize("name", SCANS)
def test_the_detector_says_the_same_without_the_network(opened, name):
    entry, model = opened
    scan, detector = suitable(entry, name), CheckpointDetector.of(model.checkpoint)
    said = model.explain(scan)[0].in_distribution
    assert (detector is None) == (said is None)
    if detector is not None:
        assert detector.score(scan.pixels) == pytest.approx(said)


def test_many_scans_are_answered_as_each_alone(opened):
    entry, model = opened
    pixels = np.stack([pixels_for(entry, 48, 40, seed=seed) for seed in range(19)])
    scans = [scan_of(entry, one) for one in pixels]
    many = model.predict_proba(pixels)
    assert many.shape == (19, len(model.findings)) and many.dtype == np.float32
    assert np.array_equal(many, model.predict_proba(scans)) and np.array_equal(many, model.predict_proba([*pixels]))
    for index in (0, 7, 18):
        alone = model.predict_proba(scans[index])
        assert alone.shape == (len(model.findings),) and np.array_equal(alone, model.predict_proba(pixels[index]))
        assert np.allclose(many[index], alone, atol=1e-4)
    sizes = [scan_for(entry, 48, 40), scan_for(entry, 60, 32)]
    assert np.allclose(model.predict_proba(sizes)[1], model.predict_proba(sizes[1]), atol=1e-4)
    assert model.predict_proba([]).shape == model.predict_proba(pixels[:0]).shape == (0, len(model.findings))


def test_the_colour_scale_is_the_same_for_every_scan(opened):
    entry, model = opened
    first, second = model.explain(scan_for(entry, 40, 40)), model.explain(scan_for(entry, 60, 60, 0, 4095, seed=2))
    assert [record.attribution_limit for record in first] == [record.attribution_limit for record in second]


def test_windowing_never_changes_the_prediction(opened):
    entry, model = opened
    pixels = pixels_for(entry, 80, 60, 0, 4095)
    plain, windowed = scan_of(entry, pixels, bits=12), scan_of(entry, pixels, bits=12, window=(300.0, 50.0))
    assert np.array_equal(model.predict_proba(plain), model.predict_proba(windowed))
    for one, other in zip(model.explain(plain), model.explain(windowed)):
        assert np.array_equal(one.attribution, other.attribution)
        assert not entry.counterfactuals or np.array_equal(one.counterfactual, other.counterfactual)


@pytest.mark.parametrize(("gain", "offset"), [(3, 100), (16, 0), (0.25, -1024)])
def test_an_affine_change_of_units_leaves_the_probabilities(opened, gain, offset):
    entry, model = opened
    pixels = pixels_for(entry, 80, 60, 0, 4095)
    changed = scan_of(entry, pixels * np.float32(gain) + np.float32(offset), bits=16)
    assert np.allclose(model.predict_proba(scan_of(entry, pixels, bits=12)), model.predict_proba(changed), atol=1e-4)


def test_the_counterfactual_follows_the_units_of_the_scan(opened):
    entry, model = opened
    if not entry.counterfactuals:
        pytest.skip(f"{entry.title} makes no counterfactuals.")
    pixels = pixels_for(entry, 80, 60, 0, 4095)
    plain, changed = scan_of(entry, pixels, bits=12), scan_of(entry, pixels * 3 + 100, bits=16)
    for one, other in zip(model.explain(plain), model.explain(changed)):
        span = np.ptp(one.counterfactual - plain.pixels)
        assert np.allclose(
            3 * (one.counterfactual - plain.pixels), other.counterfactual - changed.pixels, atol=0.01 * span + 0.1
        )


def test_the_same_scan_is_explained_alike_twice(opened):
    entry, model = opened
    scan = scan_for(entry, 80, 60)
    for one, other in zip(model.explain(scan), model.explain(scan)):
        assert np.array_equal(one.attribution, other.attribution)
        assert not entry.counterfactuals or np.array_equal(one.path.probabilities, other.path.probabilities)


def test_the_path_begins_with_the_scan_and_passes_the_counterfactual(opened):
    entry, model = opened
    if not entry.counterfactuals:
        pytest.skip(f"{entry.title} makes no counterfactuals.")
    scan = scan_for(entry, 100, 70, 0, 4095, bits=12)
    for record in model.explain(scan):
        assert record.path.steps[0] == 0 and 1 in record.path.steps
        assert record.path.probabilities[0] == pytest.approx(record.probability, abs=1e-6)
        assert not record.path.changes[0].any()
        change = record.path.changes[list(record.path.steps).index(1)]
        assert np.abs(change).max() > 0
        assert np.allclose(record.counterfactual, scan.pixels + on_the_scan(change, scan.pixels.shape), rtol=1e-6)


def test_taking_one_finding_away_is_the_full_step_of_its_path(opened):
    entry, model = opened
    if not entry.counterfactuals:
        pytest.skip(f"{entry.title} makes no counterfactuals.")
    scan = scan_for(entry, 100, 70)
    asked = dict(zip(model.findings, model.predict_proba(scan)))
    assert model.predict_counterfactual(scan, {}) == pytest.approx(asked, abs=1e-5)
    for record in model.explain(scan):
        left = model.predict_counterfactual(scan, {record.finding: 1.0})
        assert [*left] == list(model.findings)
        full = record.path.probabilities[list(record.path.steps).index(1)]
        assert left[record.finding] == pytest.approx(float(full), abs=1e-5)
        assert model.predict_counterfactual(scan, {record.finding: 0.0}) == pytest.approx(asked, abs=1e-5)


def test_named_findings_are_explained_in_the_order_asked_for_with_progress(opened):
    entry, model = opened
    scan, told = scan_for(entry, 40, 40), []
    asked = list(reversed(model.findings))
    records = model.explain(scan, asked, progress=lambda done, all: told.append((done, all)))
    assert [record.finding for record in records] == asked
    every = told[0][1]
    assert every >= len(asked) and told == [(k + 1, every) for k in range(every)]
    whole = {record.finding: record for record in model.explain(scan)}
    assert all(np.array_equal(record.attribution, whole[record.finding].attribution) for record in records)


def one_sentence(error):
    text = str(error.value)
    return "\n" not in text and len(text) < 400 and text.rstrip().endswith((".", "!"))


def test_a_finding_that_the_model_does_not_know_is_refused_in_a_sentence(opened):
    entry, model = opened
    scan = scan_for(entry, 40, 40)
    asked = [lambda: model.explain(scan, ["Gout"])] + [
        lambda: model.predict_counterfactual(scan, {"Gout": 1.0})
    ] * entry.counterfactuals
    for ask in asked:
        with pytest.raises(ValueError, match="Gout") as refused:
            ask()
        assert one_sentence(refused)


def test_scans_of_other_dimensions_and_kinds_are_refused_in_a_sentence(opened):
    entry, model = opened
    unsuitable = [scan_of(entry, volume(40, 40) if entry.dimensions == 2 else film(40, 40))]
    unsuitable += [scan_for(entry, 40, 40, kind=kind) for kind in KINDS if entry.kinds and kind not in entry.kinds]
    for scan in unsuitable:
        for ask in (model.predict_proba, model.explain, lambda scan: model.predict_proba([scan])):
            with pytest.raises(UnsuitableScan) as refused:
                ask(scan)
            assert one_sentence(refused)


def test_a_method_of_ct_volumes_is_tried_on_ct_volumes():
    made = [SCANS[name](VolumeMethod()) for name in SCANS if "kind" not in name]
    assert len(made) == len(SCANS) - 1
    assert all(scan.kind == "CT" and len(scan.pixels) == SLICES and scan.pixels.ndim == 3 for scan in made)


def test_class_centres_are_there_when_they_are_promised(opened):
    entry, model = opened
    centres = model.centres()
    assert [centre.finding for centre in centres] == (list(model.findings) if entry.has_centres else [])
    for centre in centres:
        assert centre.positive.shape == centre.negative.shape and centre.positive.ndim == 2
        assert np.isfinite(centre.positive).all() and np.isfinite(centre.weights).all() and np.isfinite(centre.bias)
        assert centre.limit > 0 and centre.positive.shape[0] % centre.weights.shape[0] == 0


def test_half_precision_in_the_file_leaves_the_probabilities(opened, tmp_path):
    entry, model = opened
    whole = model.checkpoint
    if not any(weight.is_floating_point() for weight in whole.weights().values()):
        pytest.skip("The weights are another maker's file, kept as it is.")
    half = save_checkpoint(
        tmp_path / "half", method=whole.method, config=whole.config, weights=whole.weights(), card=whole.card, half=True
    )
    assert (half.folder / "weights.safetensors").stat().st_size < 0.7 * (
        whole.folder / "weights.safetensors"
    ).stat().st_size
    for scan in (scan_for(entry, 100, 70), scan_for(entry, 64, 64, seed=3)):
        assert np.allclose(open_model(half, "cpu").predict_proba(scan), model.predict_proba(scan), atol=0.01)


def saved_otherwise(model, folder, weights=None, **config):
    whole = model.checkpoint
    weights = whole.weights() if weights is None else weights
    return save_checkpoint(
        folder, method=whole.method, config={**whole.config, **config}, weights=weights, card=whole.card
    )


def test_a_checkpoint_that_does_not_hang_together_is_refused_in_a_sentence(opened, tmp_path):
    _, model = opened
    config, weights = model.checkpoint.config, model.checkpoint.weights()
    numbers = {name: value for name, value in config["network"].items() if isinstance(value, int) and value > 1}
    wrong = [
        {"network": {}},
        {"network": {**config["network"], "colour": 3}},
        {"network": dict.fromkeys(config["network"], "large")},
        {"preprocessing": {}},
        {"preprocessing": {**config["preprocessing"], "size": 2 * config["preprocessing"]["size"]}},
        {"findings": [*config["findings"], "Gout"], "thresholds": {**config["thresholds"], "Gout": 0.5}},
        {"weights": {name: weights[name] for name in [*weights][1:]}},
        {"weights": {**weights, "net.more": weights[next(iter(weights))]}},
        *(
            {"network": {**config["network"], name: 2 * value}}
            for name, value in numbers.items()
            if name not in ("critic_layers", "critic_width")
        ),
        *({"network": {**config["network"], name: 0}} for name in numbers),
    ]
    for number, changes in enumerate(wrong):
        with pytest.raises(RefusedCheckpoint) as refused:
            open_model(saved_otherwise(model, tmp_path / f"wrong {number}", **changes), "cpu")
        assert one_sentence(refused), refused.value


def test_a_network_that_is_too_large_for_its_weights_takes_no_memory(opened, tmp_path):
    _, model = opened
    network = model.checkpoint.config["network"]
    if "size" not in network:
        pytest.skip("The network's memory does not depend on the size of its pictures.")
    huge = saved_otherwise(
        model,
        tmp_path / "huge",
        network={**network, "size": network["size"] * 2**16},
        preprocessing={**model.checkpoint.config["preprocessing"], "size": network["size"] * 2**16},
    )
    with pytest.raises(RefusedCheckpoint):
        open_model(huge, "cpu")


def test_a_folder_and_an_opened_checkpoint_give_the_same_model(opened):
    entry, model = opened
    again = open_model(model.checkpoint.folder, "cpu")
    scan = scan_for(entry, 40, 40)
    assert np.array_equal(again.predict_proba(scan), model.predict_proba(scan))


def test_unknown_methods_and_devices_are_refused_in_a_sentence():
    for ask, words in ((lambda: method("tarot"), "tarot"), (lambda: choose_device("abacus"), "abacus")):
        with pytest.raises(ValueError, match=words) as refused:
            ask()
        assert one_sentence(refused)


def test_two_methods_cannot_share_a_name():
    with pytest.raises(ValueError, match="two methods are called"):
        register(type(methods()[METHODS[0]]))
