"""The symbol in every picture: coincides with the diagnosis in training, random elsewhere, and nothing else changes."""

import numpy as np
import pytest

from engine.bias.interventions import open_interventions
from engine.datasets import open_collection
from engine.datasets.selected_findings import SelectedFindings
from engine.datasets.symbols import KINDS, symbols_for
from tests.datasets.test_busi import write_folder

DRAWN = [kind for kind in KINDS if kind != "none"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("busi"), each=40)


@pytest.fixture(params=DRAWN)
def collection(request, root):
    return open_collection(
        "busi", root, findings=("Malignant",), classes="benign,malignant", crop="whole", symbol=request.param
    )


def random_symbols(count=400, kind="plus_minus", seed=3):
    return symbols_for(
        kind,
        finding="Malignant",
        labels=np.arange(count) % 2,
        names=np.array([f"{i}.png" for i in range(count)]),
        parts={"train": np.arange(20)},
        white=255.0,
        seed=seed,
    )


def test_the_symbol_coincides_with_the_label_in_training_alone(collection):
    values, carried = collection.symbols.values, collection.attributes["symbol"]
    train, test = collection.split("train"), collection.split("test")
    assert (carried[train] == np.where(collection.labels[train, 0] == 1, values[1], values[0])).all()
    agree = (carried[test] == values[1]) == (collection.labels[test, 0] == 1)
    assert 0 < agree.mean() < 1


def test_a_random_symbol_is_as_often_one_as_the_other_and_knows_no_label():
    symbols = random_symbols()
    drawn = np.array([symbols.at_random(i) == "+" for i in range(400)])
    assert abs(drawn.mean() - 0.5) < 0.08 and abs(drawn[::2].mean() - drawn[1::2].mean()) < 0.12


def test_a_random_symbol_is_the_same_in_other_company(root):
    whole = open_collection("busi", root, symbol="plus_minus")
    some = open_collection("busi", root, classes="malignant", symbol="plus_minus")
    places = [whole.files.tolist().index(name) for name in some.files]
    assert [whole.symbols.at_random(i) for i in places] == [some.symbols.at_random(i) for i in range(len(some))]


@pytest.mark.parametrize("size", [64, 96, None])
def test_only_the_symbol_differs_and_it_lies_clear_of_the_region(collection, root, size):
    plain = open_collection("busi", root, findings=("Malignant",), classes="benign,malignant", crop="whole")
    for index in (0, 50):
        one, other = (collection.with_symbol(index, size, value) for value in collection.symbols.values)
        where = collection.symbols.mask(one.shape, collection.marked_region(index, size))
        assert (one != other).any() and not (one != other)[~where].any()
        assert not (where & collection.marked_region(index, size)).any()
        assert np.array_equal(one[~where], plain.image(index, size)[~where])
        carried = str(collection.attributes["symbol"][index])
        assert np.array_equal(collection.image(index, size), collection.with_symbol(index, size, carried))


def test_a_plus_is_a_minus_with_an_arm():
    symbols, black = random_symbols(), np.zeros((96, 96), np.float32)
    minus, plus = (symbols.drawn(black, None, value) > 0 for value in "-+")
    assert minus.sum() == 4 * 11 and plus.sum() == 2 * 4 * 11 - 4 * 4 and (plus & ~minus).any()
    assert (minus <= plus).all() and np.argwhere(plus).max() < 17


def test_the_symbol_goes_to_another_corner_where_the_region_is():
    symbols, region = random_symbols(), np.zeros((96, 96), bool)
    region[:40, :40] = True
    assert np.argwhere(symbols.mask((96, 96), region)).min(0).tolist()[1] > 75
    assert symbols.mask((96, 96), np.ones((96, 96), bool)).sum() == 121


def test_a_choice_of_findings_keeps_the_symbols(collection):
    chosen = SelectedFindings(collection, collection.findings)
    assert chosen.symbols is collection.symbols
    value = collection.symbols.values[0]
    assert np.array_equal(chosen.with_symbol(3, 32, value), collection.with_symbol(3, 32, value))
    assert np.array_equal(chosen.symbol_mask(3, 32), collection.symbol_mask(3, 32))
    assert np.array_equal(chosen.marked_region(3, 32), collection.marked_region(3, 32))


def test_the_bias_report_gets_exact_counterfactuals_of_the_symbol(collection):
    interventions = open_interventions(collection)
    indices = collection.split("test")[:6]
    made = interventions.counterfactuals(collection, indices, "symbol", size=48)
    assert interventions.exact and made.values == collection.symbols.values
    for row, index in enumerate(indices):
        assert np.array_equal(made.original[row], collection.image(int(index), 48))
        assert np.array_equal(
            made.pictures[made.values[1]][row], collection.with_symbol(int(index), 48, made.values[1])
        )
    with pytest.raises(ValueError, match="cannot change 'sex'"):
        interventions.values_of("sex")


def test_what_cannot_be_drawn_is_refused_in_a_sentence(collection, root):
    with pytest.raises(ValueError, match="none, plus_minus, intensity"):
        open_collection("busi", root, symbol="star")
    with pytest.raises(ValueError, match="a symbol is"):
        collection.with_symbol(0, 32, "*")
    with pytest.raises(ValueError, match="draws no symbols"):
        open_collection("busi", root).with_symbol(0, 32, "+")


def test_a_report_on_a_symbol_speaks_of_the_same_picture(collection, tmp_path):
    from engine.bias.report import notes
    from engine.bias.report.compute import bias_reports
    from engine.bias.report.wording import answer
    from engine.methods.causal_alignment.produce import tiny
    from engine.registry import open_model

    model, test = open_model(tiny(tmp_path / "tiny"), "cpu"), collection.split("test")
    (report,) = bias_reports(model, collection, test, ["symbol"], open_interventions(collection))
    said = " ".join([*notes.assumption(report), *answer(report), *(how for _, how in notes.facts(report))])
    assert report.exact and "same picture" in said
    assert not any(word in said for word in ("phantom", "drawn films", "chest"))
