"""An index finds what is there, keeps what it was, and refuses what is none."""

import json

import numpy as np
import pytest

from engine.datasets import open_collection
from engine.registry import open_model
from engine.scan import Scan
from engine.similar.describe import GRID, Description, describe
from engine.similar.index import ARRAYS, EMBEDDING, FACTS, SIDE, CaseIndex, UnusableIndex, build, open_index


def made(n: int = 40, embeddings: int = 6, seed: int = 0) -> CaseIndex:
    random = np.random.default_rng(seed)
    return CaseIndex(
        "a-model",
        "identity",
        ("Edema", "Effusion"),
        "phantom",
        "drawn films",
        "net.x" if embeddings else "",
        random.integers(0, 255, (n, SIDE, SIDE)).astype(np.uint8),
        random.integers(0, 2, (n, 2)).astype(np.float32),
        random.random((n, 2)).astype(np.float32),
        random.normal(size=(n, 2, GRID, GRID)).astype(np.float32),
        random.normal(3, 1, (n, embeddings)).astype(np.float32),
        np.array([1.0, 2.0], np.float32),
        "log-odds",
    )


def query(index: CaseIndex, place: int) -> Description:
    return Description(index.probabilities[place], index.evidence[place], index.embeddings[place], index.layer)


def test_a_case_is_nearest_to_itself_and_the_order_is_that_of_the_cosine():
    index = made()
    for space in index.spaces:
        found = index.nearest(query(index, 7), space, 40)
        vectors = index.embeddings if space == EMBEDDING else index.evidence[:, index.findings.index(space)]
        vectors = vectors.reshape(len(index), -1)
        vectors = vectors - vectors.mean(0) if space == EMBEDDING else vectors
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        expected = unit @ unit[7]
        assert [one.place for one in found] == np.argsort(-expected).tolist()
        assert found[0].place == 7 and found[0].similarity == pytest.approx(1, abs=1e-5)
        assert found[5].similarity == pytest.approx(float(np.sort(expected)[::-1][5]), abs=1e-4)
    with pytest.raises(ValueError, match="similarity is by Edema, Effusion, embedding"):
        index.nearest(query(index, 7), "Nodule")


def test_a_network_that_cannot_be_looked_into_has_evidence_only():
    index = made(embeddings=0)
    assert index.spaces == ("Edema", "Effusion") and len(index.nearest(query(index, 0), "Edema", 99)) == len(index)


def test_what_is_saved_is_what_is_opened(tmp_path):
    index = made()
    index.save(tmp_path / "index")
    again = open_index(tmp_path / "index")
    assert (again.findings, again.identity, again.unit) == (index.findings, index.identity, index.unit)
    assert np.array_equal(again.pictures, index.pictures) and np.allclose(again.evidence, index.evidence, atol=2e-3)
    found = again.nearest(query(index, 3), "Effusion")
    assert [one.place for one in found] == [one.place for one in index.nearest(query(index, 3), "Effusion")]


@pytest.mark.parametrize("damage", ["none", "no json", "cut off", "pickled", "another shape"])
def test_what_is_no_index_is_refused_in_a_sentence(tmp_path, damage):
    if damage != "none":
        made(5).save(tmp_path)
    if damage == "no json":
        (tmp_path / FACTS).write_text("[")
    elif damage == "cut off":
        (tmp_path / ARRAYS).write_bytes((tmp_path / ARRAYS).read_bytes()[:500])
    elif damage == "pickled":
        np.savez(tmp_path / ARRAYS, pictures=np.array([{}], object))
    elif damage == "another shape":
        facts = json.loads((tmp_path / FACTS).read_text())
        (tmp_path / FACTS).write_text(json.dumps(facts | {"findings": ["Edema"]}))
    with pytest.raises(UnusableIndex, match="build"):
        open_index(tmp_path)


def test_an_index_of_drawn_films_finds_the_film_itself():
    model, films = open_model("attri-net-phantom", "cpu"), open_collection("phantom", count=12)
    seen, explained = [], []
    explain = model.explain
    model.explain = lambda scan, *args: explained.append(scan.sha256) or explain(scan, *args)
    index = build(model, films, np.arange(6), lambda done, every: seen.append((done, every)))
    assert len(explained) == len({*explained}) == 6  # none is explained twice
    assert seen[-1] == (6, 6) and index.identity == model.checkpoint.identity
    assert np.array_equal(index.labels, films.labels[:6]) and index.pictures[0].std() > 10
    described = describe(model, Scan.of(films.image(4), "radiograph"), index.layer)
    assert all(index.nearest(described, space)[0].place == 4 for space in index.spaces)
    with pytest.raises(UnusableIndex, match="no pictures"):
        build(model, films, [])
