"""What every registered method promises, on a small checkpoint with random weights: one test, every method."""

import json

import numpy as np
import pytest

from engine.checkpoints.detector import CheckpointDetector
from engine.checkpoints.format import RefusedCheckpoint, save_checkpoint
from engine.preprocessing import enlarged
from engine.registry import Method, UnsuitableScan, choose_device, method, methods, open_model, register
from engine.scan import Scan

METHODS = sorted(methods())


@pytest.fixture(scope="module", params=METHODS)
def opened(request, tmp_path_factory):
    """(method, model) of a small checkpoint."""
    room = methods()[request.param]
    return room, open_model(room.tiny(tmp_path_factory.mktemp(request.param) / "tiny"), "cpu")


def film(height, width, low=0.0, high=255.0, seed=0):
    """(height, width) float32, a dark chest in a bright body, whole grey values between low and high."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture = 0.8 - 0.5 * np.exp(-((np.abs(columns) - 0.4) ** 2 / 0.05 + rows**2 / 0.3)) + 0.1 * columns
    picture = np.clip(picture + random.normal(0, 0.03, (height, width)), 0, 1)
    return np.rint(low + picture * (high - low)).astype(np.float32)


SCANS = {
    "odd": lambda: Scan.of(film(37, 61)),
    "square": lambda: Scan.of(film(512, 512)),
    "sixteen bits": lambda: Scan.of(film(120, 90, 0, 65535), bits=16),
    "signed": lambda: Scan.of(film(64, 64, -1024, 3071), bits=12, spacing_mm=(0.2, 0.3)),
    "turned over": lambda: Scan.of(
        4095 - film(75, 50, 0, 4095), bits=12, tags={"PhotometricInterpretation": "MONOCHROME1"}
    ),
    "smallest": lambda: Scan.of(film(16, 16)),
    "narrow": lambda: Scan.of(film(16, 300)),
    "blank": lambda: Scan.of(np.full((40, 40), 200, np.float32)),
    "nearly blank": lambda: Scan.of(np.pad(np.full((2, 2), 255, np.float32), 30)),
    "of a kind that the file does not say": lambda: Scan.of(film(50, 50), kind="unknown"),
}


def test_every_method_declares_what_it_offers():
    assert METHODS
    for name, room in methods().items():
        assert isinstance(room, Method) and room.name == name == name.lower()
        for text in (room.title, room.paper, room.evidence_name):
            assert isinstance(text, str) and text
        assert all(isinstance(flag, bool) for flag in (room.signed, room.counterfactuals, room.has_centres))
        assert {"demo", "paper"} <= {*room.presets()} or not room.trainable


@pytest.mark.parametrize("name", SCANS)
def test_an_explanation_keeps_its_promises(opened, name):
    room, model = opened
    scan = SCANS[name]()
    if room.kinds and scan.kind not in room.kinds:
        pytest.skip(f"{room.title} takes no scan of kind {scan.kind}.")
    before = scan.pixels.copy()
    records = model.explain(scan)
    assert [record.finding for record in records] == list(model.findings)
    probabilities = model.probabilities(scan)
    assert probabilities.dtype == np.float32 and probabilities.shape == (len(model.findings),)
    for c, record in enumerate(records):
        assert record.scan_sha256 == scan.sha256 and record.checkpoint_sha256 == model.checkpoint.sha256
        assert record.checkpoint_identity == model.checkpoint.identity
        assert record.probability == pytest.approx(float(probabilities[c]), abs=1e-5)
        assert record.threshold == pytest.approx(float(model.thresholds[c]))
        assert (record.counterfactual is not None) == (record.path is not None) == room.counterfactuals
        fields = [record.attribution, record.evidence]
        if room.counterfactuals:
            fields += [record.counterfactual, record.path.changes]
            assert record.counterfactual.shape == scan.pixels.shape
            assert ((record.path.probabilities >= 0) & (record.path.probabilities <= 1)).all()
        assert record.attribution.shape == scan.pixels.shape
        for field in fields:
            assert field.dtype == np.float32 and np.isfinite(field).all()
        assert np.array_equal(record.attribution, enlarged(record.evidence, scan.pixels.shape))
        assert room.signed or record.attribution.min() >= 0
        assert record.attribution_limit > 0 and record.attribution_unit
        assert record.seconds > 0
        assert record.in_distribution is None or np.isfinite(record.in_distribution).all()
        json.dumps(record.record(), allow_nan=False)
    assert np.array_equal(scan.pixels, before)


@pytest.mark.parametrize("name", SCANS)
def test_the_detector_says_the_same_without_the_network(opened, name):
    room, model = opened
    scan, detector = SCANS[name](), CheckpointDetector.of(model.checkpoint)
    if room.kinds and scan.kind not in room.kinds:
        pytest.skip(f"{room.title} takes no scan of kind {scan.kind}.")
    said = model.explain(scan)[0].in_distribution
    assert (detector is None) == (said is None)
    if detector is not None:
        assert detector.score(scan.pixels) == pytest.approx(said)


def test_many_pictures_are_believed_as_each_alone(opened):
    _, model = opened
    pictures = np.stack([film(48, 40, seed=seed) for seed in range(19)])
    believed = model.predict_proba(pictures)
    assert believed.shape == (19, len(model.findings)) and believed.dtype == np.float32
    alone = np.stack([model.probabilities(Scan.of(picture)) for picture in pictures[[0, 7, 18]]])
    assert np.allclose(believed[[0, 7, 18]], alone, atol=1e-4)


def test_the_colour_scale_is_the_same_for_every_scan(opened):
    _, model = opened
    first, second = model.explain(Scan.of(film(40, 40))), model.explain(Scan.of(film(60, 60, 0, 4095, seed=2)))
    assert [record.attribution_limit for record in first] == [record.attribution_limit for record in second]


def test_windowing_never_changes_the_prediction(opened):
    _, model = opened
    pixels = film(80, 60, 0, 4095)
    plain, windowed = Scan.of(pixels, bits=12), Scan.of(pixels, bits=12, window=(300.0, 50.0))
    assert np.array_equal(model.probabilities(plain), model.probabilities(windowed))
    for one, other in zip(model.explain(plain), model.explain(windowed)):
        assert np.array_equal(one.attribution, other.attribution)
        assert not methods()[model.checkpoint.method].counterfactuals or np.array_equal(
            one.counterfactual, other.counterfactual
        )


@pytest.mark.parametrize("gain, offset", [(3, 100), (16, 0), (0.25, -1024)])
def test_an_affine_change_of_units_leaves_the_probabilities(opened, gain, offset):
    _, model = opened
    pixels = film(80, 60, 0, 4095)
    changed = Scan.of(pixels * np.float32(gain) + np.float32(offset), bits=16)
    assert np.allclose(model.probabilities(Scan.of(pixels, bits=12)), model.probabilities(changed), atol=1e-4)


def test_the_counterfactual_follows_the_units_of_the_scan(opened):
    room, model = opened
    if not room.counterfactuals:
        pytest.skip(f"{room.title} makes no counterfactuals.")
    pixels = film(80, 60, 0, 4095)
    plain, changed = Scan.of(pixels, bits=12), Scan.of(pixels * 3 + 100, bits=16)
    for one, other in zip(model.explain(plain), model.explain(changed)):
        span = np.ptp(one.counterfactual - plain.pixels)
        assert np.allclose(
            3 * (one.counterfactual - plain.pixels), other.counterfactual - changed.pixels, atol=0.01 * span + 0.1
        )


def test_the_same_scan_is_explained_alike_twice(opened):
    room, model = opened
    scan = Scan.of(film(80, 60))
    for one, other in zip(model.explain(scan), model.explain(scan)):
        assert np.array_equal(one.attribution, other.attribution)
        assert not room.counterfactuals or np.array_equal(one.path.probabilities, other.path.probabilities)


def test_the_path_begins_with_the_scan_and_passes_the_counterfactual(opened):
    room, model = opened
    if not room.counterfactuals:
        pytest.skip(f"{room.title} makes no counterfactuals.")
    scan = Scan.of(film(100, 70, 0, 4095), bits=12)
    for record in model.explain(scan):
        assert record.path.steps[0] == 0 and 1 in record.path.steps
        assert record.path.probabilities[0] == pytest.approx(record.probability, abs=1e-6)
        assert not record.path.changes[0].any()
        change = record.path.changes[list(record.path.steps).index(1)]
        assert np.abs(change).max() > 0
        assert np.allclose(record.counterfactual, scan.pixels + enlarged(change, scan.pixels.shape), rtol=1e-6)


def test_taking_one_finding_away_is_the_full_step_of_its_path(opened):
    room, model = opened
    if not room.counterfactuals:
        pytest.skip(f"{room.title} makes no counterfactuals.")
    scan = Scan.of(film(100, 70))
    asked = dict(zip(model.findings, model.probabilities(scan)))
    assert model.predict_counterfactual(scan, {}) == pytest.approx(asked, abs=1e-5)
    for record in model.explain(scan):
        left = model.predict_counterfactual(scan, {record.finding: 1.0})
        assert [*left] == list(model.findings)
        full = record.path.probabilities[list(record.path.steps).index(1)]
        assert left[record.finding] == pytest.approx(float(full), abs=1e-5)
        assert model.predict_counterfactual(scan, {record.finding: 0.0}) == pytest.approx(asked, abs=1e-5)


def test_named_findings_are_explained_in_the_order_asked_for_with_progress(opened):
    _, model = opened
    scan, told = Scan.of(film(40, 40)), []
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
    room, model = opened
    scan = Scan.of(film(40, 40))
    asked = [lambda: model.explain(scan, ["Gout"])] + [
        lambda: model.predict_counterfactual(scan, {"Gout": 1.0})
    ] * room.counterfactuals
    for ask in asked:
        with pytest.raises(ValueError, match="Gout") as refused:
            ask()
        assert one_sentence(refused)


def test_volumes_and_other_kinds_are_refused_in_a_sentence(opened):
    room, model = opened
    unsuitable = [Scan.of(np.stack([film(40, 40)] * 3))]
    unsuitable += [
        Scan.of(film(40, 40), kind=kind) for kind in ("CT", "MR", "ultrasound") if room.kinds and kind not in room.kinds
    ]
    for scan in unsuitable:
        for ask in (model.probabilities, model.explain):
            with pytest.raises(UnsuitableScan) as refused:
                ask(scan)
            assert one_sentence(refused)


def test_class_centres_are_there_when_they_are_promised(opened):
    room, model = opened
    centres = model.centres()
    assert [centre.finding for centre in centres] == (list(model.findings) if room.has_centres else [])
    for centre in centres:
        assert centre.positive.shape == centre.negative.shape and centre.positive.ndim == 2
        assert np.isfinite(centre.positive).all() and np.isfinite(centre.weights).all() and np.isfinite(centre.bias)
        assert centre.limit > 0 and centre.positive.shape[0] % centre.weights.shape[0] == 0


def test_half_precision_in_the_file_leaves_the_probabilities(opened, tmp_path):
    _, model = opened
    whole = model.checkpoint
    if not any(weight.is_floating_point() for weight in whole.weights().values()):
        pytest.skip("The weights are another maker's file, kept as it is.")
    half = save_checkpoint(
        tmp_path / "half", method=whole.method, config=whole.config, weights=whole.weights(), card=whole.card, half=True
    )
    assert (half.folder / "weights.safetensors").stat().st_size < 0.7 * (
        whole.folder / "weights.safetensors"
    ).stat().st_size
    for scan in (Scan.of(film(100, 70)), Scan.of(film(64, 64, seed=3))):
        assert np.allclose(open_model(half, "cpu").probabilities(scan), model.probabilities(scan), atol=0.01)


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
        {"network": {name: "large" for name in config["network"]}},
        {"preprocessing": {}},
        {"preprocessing": {**config["preprocessing"], "size": 2 * config["preprocessing"]["size"]}},
        {"findings": [*config["findings"], "Gout"], "thresholds": {**config["thresholds"], "Gout": 0.5}},
        {"weights": {name: weights[name] for name in [*weights][1:]}},
        {"weights": {**weights, "net.more": weights[[*weights][0]]}},
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
    _, model = opened
    again = open_model(model.checkpoint.folder, "cpu")
    scan = Scan.of(film(40, 40))
    assert np.array_equal(again.probabilities(scan), model.probabilities(scan))


def test_unknown_methods_and_devices_are_refused_in_a_sentence():
    for ask, words in ((lambda: method("tarot"), "tarot"), (lambda: choose_device("abacus"), "abacus")):
        with pytest.raises(ValueError, match=words) as refused:
            ask()
        assert one_sentence(refused)


def test_two_methods_cannot_share_a_name():
    with pytest.raises(ValueError, match="two methods are called"):
        register(type(methods()[METHODS[0]]))
