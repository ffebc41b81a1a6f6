"""Promises of the app, page by page, without a browser."""

import ast
import io
import json
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine.checkpoints.format import save_checkpoint
from engine.checkpoints.metrics import Metrics
from engine.inference import tasks
from engine.methods.onnx.adopt import card_text, save
from engine.methods.onnx.card import parsed
from engine.methods.onnx.tiny import CARD, network
from engine.metrics.measure import Measure
from engine.registry import method
from pages.components import common, open_scans, shelf, words
from tests.places import ROOT
from tests.scan.series_files import head, series, shuffled
from tests.scan.test_archive import zipped
from tests.tiny_checkpoints import tiny

PAGES = (
    "pages/explain.py",
    "pages/worklist.py",
    "pages/review.py",
    "pages/learned.py",
    "pages/similar.py",
    "pages/bias.py",
    "pages/models.py",
)
SECRET = "Jane_Doe_1970"


@pytest.fixture(scope="module")
def two_checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny(folder / "attri-net-one")
    tiny(folder / "attri-net-two", seed=1)
    return folder


@pytest.fixture
def checkpoints(two_checkpoints, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(two_checkpoints))
    return two_checkpoints


def opened(page="pages/explain.py"):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    return at if page == PAGES[0] else at.switch_page(page).run()


def settled(at):
    """The app after its worker has answered."""
    deadline = time.monotonic() + 120
    at.run()
    while len(common.worker()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return at.run()


def shown(at, key="explain"):
    """The header of the view that stands on the page."""
    return at.session_state[f"{key}-header"]


def elements(node):
    """Everything on the page as it is sent to the browser, in order, as text."""
    yield str(getattr(node, "proto", ""))
    for child in getattr(node, "children", {}).values():
        yield from elements(child)


def page_text(at):
    """All that a page says, the viewer's words included."""
    return "\n".join(elements(at._tree)) + str(shown(at))


def on_shelf(at):
    """The list of open scans: titles of those that are not refused."""
    return [
        entry.title for entry in shelf.SHELVES.of(None, at.session_state.session).entries.values() if not entry.reason
    ]


def states(at):
    return [entry.state for entry in shelf.SHELVES.of(None, at.session_state.session).entries.values()]


def on_show(at):
    return shelf.SHELVES.of(None, at.session_state.session).entries[at.session_state.scan].title


def texts(at):
    return [element.value for element in at.text]


def upload(at, name, data):
    at.file_uploader[0].upload(name, data)
    at.run()
    for entry in list(shelf.SHELVES.of(None, at.session_state.session).entries.values()):
        assert entry.done.wait(120)
    return at.run()


def png(side=64, seed=0):
    grey = np.random.default_rng(seed).integers(0, 255, (side, side)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    return file.getvalue()


def huge_png():
    """A few bytes that claim 60,000 x 60,000 pixels."""
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def test_no_page_imports_torch():
    for path in [ROOT / "app.py", *(ROOT / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not any(name.split(".")[0] == "torch" for name in names), path


def test_navigation_comes_first():
    calls = [node for node in ast.walk(ast.parse((ROOT / "app.py").read_text())) if isinstance(node, ast.Call)]
    ours = [
        c
        for c in calls
        if isinstance(c.func, ast.Attribute) and getattr(c.func.value, "id", "") == "st" and c.func.attr != "Page"
    ]
    assert min(ours, key=lambda c: c.lineno).func.attr == "navigation"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_and_says_research_use_only(page, checkpoints):
    at = opened(page)
    assert not at.exception
    assert any(common.NOTICE in element.value for element in at.get("html"))


@pytest.mark.parametrize("page", PAGES[1:])
def test_a_page_asked_for_first_comes_with_the_whole_frame(page, checkpoints):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).switch_page(page).run()
    assert not at.exception
    assert any(common.NOTICE in element.value for element in at.get("html"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_stands_without_any_checkpoint(page, tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    at = opened(page)
    assert not at.exception
    assert any("checkpoint" in text.lower() for text in texts(at))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_stands_where_a_checkpoint_is_broken(page, tmp_path, monkeypatch):
    folders = [method("attri_net").tiny(tmp_path / name).folder for name in ("good", "data", "findings")]
    for folder, changes in zip(folders[1:], ({"data": ["phantom"]}, {"findings": [], "thresholds": {}})):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    assert not settled(opened(page)).exception


def test_first_start_explains_the_sample(checkpoints):
    at = settled(opened())
    view = shown(at)
    assert view["title"] == "Chest radiograph, PA"
    assert {finding["name"] for finding in view["findings"]} == {"Atelectasis", "Cardiomegaly"}
    margins = [words.log_odds(f["probability"]) - words.log_odds(f["threshold"]) for f in view["findings"]]
    assert margins == sorted(margins, reverse=True)


def button(at, key):
    return next((b for b in at.button if b.key == key), None)


@pytest.mark.parametrize(("score", "unlike"), [(0.5, False), (50.0, True)])
def test_what_is_said_of_an_unlike_scan_is_held_back_behind_one_click(
    score, unlike, checkpoints, monkeypatch, inference_here
):
    monkeypatch.setattr("engine.ood.OutOfDistributionDetector.score", lambda self, picture: score * self.limit)
    common.worker.clear()  # forgets what other tests were told
    at = settled(opened())
    page = "\n".join(elements(at.main))
    assert ("unlike the films" in page) == unlike and (button(at, "show anyway") is not None) == unlike
    assert states(at) == ["held back" if unlike else "explained"]
    if unlike:
        assert page.index("unlike the films") < page.index("otherwise_viewer")
        assert shown(at)["findings"] == [] and shown(at)["blank"]["words"] == "held back"
        assert len(shown(at)["arrays"]) == 1  # the scan and nothing of the model
        button(at, "show anyway").click()
        page = "\n".join(elements(settled(at).main))
        assert page.index("unlike the films") < page.index("otherwise_viewer")
        assert states(at) == ["explained"]
    common.worker.clear()
    assert len(shown(at)["findings"]) == 2


def test_a_model_of_drawn_films_holds_back_what_it_says_of_a_real_one(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    tiny(tmp_path / "attri-net-drawn", collection="phantom")
    at = settled(opened())
    assert (
        shown(at)["findings"] == []
        and "trained on drawn films only" in page_text(at)
        and "like the training" not in page_text(at)
    )
    at.selectbox[1].select("Phantom patient 6").run()
    assert shown(settled(at))["findings"] and "like the training" in page_text(at)


def test_a_finding_whose_auc_may_be_chance_comes_last_without_a_map(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    rows = [
        Measure("auc", "Atelectasis", 0.6, 0.4, 0.8, 90, chance=0.5),
        Measure("auc", "Cardiomegaly", 0.9, 0.8, 0.95, 90, chance=0.5),
    ]
    tiny(
        tmp_path / "attri-net-half",
        metrics=Metrics(rows, note="Drawn.", subgroups_note="None."),
    )
    first, last = shown(settled(opened()))["findings"]
    assert (first["name"], first["unsure"]) == ("Cardiomegaly", False) and (last["name"], last["unsure"]) == (
        "Atelectasis",
        True,
    )


def test_the_first_picture_is_a_drawn_patient_with_the_truth_beside_it_where_a_checkpoint_explains_it_well(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    checkpoint, patient = open_scans.EXPLAINED_WELL
    tiny(tmp_path / checkpoint, collection="phantom", findings=("Effusion", "Consolidation"))
    at = settled(opened())
    assert on_shelf(at) == [patient, "Sample radiograph"] and on_show(at) == patient
    view = shown(at)
    truth = {finding["name"]: view["arrays"][finding["truth"]] for finding in view["findings"]}
    assert truth["Effusion"]["shape"] == [512, 512] and truth["Consolidation"]["shape"] == [
        2,
        2,
    ]  # drawn with the one and not the other
    assert any(label == "recovered" for finding in view["findings"] for label, _ in finding["facts"])
    for finding in view["findings"]:
        trust = finding["trust"]
        assert (
            trust is None if finding["unsure"] else trust["steps"] == [0, 0.5, 1, 1.5] and trust["similarity"][0] == 1
        )
        assert trust is None or (len(trust["likeness"]) == 4 and trust["record"])


def test_the_sample_missing_gives_a_phantom_and_says_so(checkpoints, monkeypatch):
    monkeypatch.setattr("pydicom.data.get_testdata_file", lambda name, download=True: None)
    open_scans.sample.clear()
    try:
        at = opened()
        assert on_shelf(at) == ["Phantom patient 1"]
        assert any("stands in" in text for text in texts(at))
    finally:
        open_scans.sample.clear()


@pytest.mark.parametrize(
    "data",
    [b"not a picture at all " * 9, png()[:200], huge_png(), b"\x00" * 5000],
    ids=["text", "cut", "huge", "zeros"],
)
def test_a_bad_upload_leaves_one_sentence_and_the_scan_as_it_was(data, checkpoints):
    at = opened()
    upload(at, f"{SECRET}.dcm", data)
    assert not at.exception
    assert on_shelf(at) == ["Sample radiograph"] and on_show(at) == "Sample radiograph"
    assert at.session_state.notice.endswith(".") and at.session_state.notice in texts(at)
    assert at.session_state.notice in page_text(at) and SECRET not in page_text(at)


def test_an_upload_is_opened_and_its_name_forgotten(checkpoints):
    at = upload(opened(), f"{SECRET}.png", png())
    assert not at.exception
    assert on_show(at) == "Picture 1" and on_shelf(at) == ["Sample radiograph", "Picture 1"]
    settled(at)
    assert [f["name"] for f in shown(at)["findings"]]
    assert "Picture 1" in page_text(at) and SECRET not in page_text(at)
    assert SECRET not in repr(at.session_state) and SECRET not in str(
        shelf.SHELVES.of(None, at.session_state.session).entries
    )


def test_the_same_scan_twice_is_one_scan(checkpoints):
    at = upload(upload(opened(), "a.png", png()), "b.png", png())
    assert on_shelf(at) == ["Sample radiograph", "Picture 1"] and on_show(at) == "Picture 1"


def test_no_more_scans_than_fit_are_open(checkpoints, monkeypatch):
    at = upload(opened(), "x.png", png(32, 0))
    monkeypatch.setattr(shelf.SHELVES, "limit", 2 * shelf.SHELVES.of(None, at.session_state.session).nbytes + 100)
    upload(at, "x.png", png(64, 1))
    assert on_shelf(at) == ["Sample radiograph", "Picture 1"] and on_show(at) == "Picture 1"
    assert any("close some" in text for text in texts(at))
    at.button(key="close").click().run()
    assert on_show(at) == "Sample radiograph"


def test_several_files_of_one_drop_are_all_listed_and_the_first_that_opens_is_shown(checkpoints):
    at = opened()
    at.file_uploader[0].set_value(
        [
            ("a.png", b"no picture " * 99, "image/png"),
            ("b.png", png(64, 1), "image/png"),
            ("c.png", png(64, 2), "image/png"),
        ]
    )
    at = settled(at)
    for entry in list(shelf.SHELVES.of(None, at.session_state.session).entries.values()):
        assert entry.done.wait(120)
    at.run()
    assert on_shelf(at) == ["Sample radiograph", "Picture 2", "Picture 3"] and on_show(at) == "Picture 2"
    assert any(text.startswith("1 of 3 files could not be opened.") for text in texts(at))


def test_a_zip_of_a_series_is_one_scan_with_slices(checkpoints):
    slices = head()
    at = upload(opened(), "series.zip", zipped({f"IM{k}": one for k, one in enumerate(shuffled(series(slices)))}))
    assert on_shelf(at) == ["Sample radiograph", "CT 1"] and on_show(at) == "CT 1"
    at = upload(
        at,
        "two.zip",
        zipped({f"IM{k}": one for k, one in enumerate(series(slices) + series(slices + 9, SeriesInstanceUID="1.9"))}),
    )
    assert on_shelf(at) == ["Sample radiograph", "CT 1", "CT 3"]  # the first of them is open already
    assert any("2 series" in text for text in texts(at))


def test_a_closed_scan_can_be_brought_back(checkpoints):
    at = upload(opened(), "a.png", png())
    at.button(key="close").click().run()
    assert on_shelf(at) == ["Sample radiograph"] and on_show(at) == "Sample radiograph"
    at.button(key="close").click().run()
    assert not at.exception and any("No scan is open" in m.value for m in at.markdown)
    at.button(key="reopen").click().run()
    assert on_shelf(at) == ["Sample radiograph"]


def test_a_scan_of_another_kind_is_told_what_would_work(checkpoints):
    from pydicom.data import get_testdata_file

    at = upload(opened(), "x.dcm", Path(get_testdata_file("emri_small.dcm")).read_bytes())
    assert not at.exception and on_show(at) == "MR 1"
    assert any("No checkpoint here takes a MR slice" in text and "radiograph" in text for text in texts(at))
    assert shown(at)["volume"]["index"] != 0
    at.session_state[f"slice {at.session_state.scan}"] = 0
    at.run()
    assert not at.exception and shown(at)["volume"]["index"] == 0


def test_a_phantom_patient_tells_its_truth(checkpoints):
    at = opened()
    at.selectbox[1].select("Phantom patient 6").run()
    assert on_show(at) == "Phantom patient 6"
    assert ["drawn without any finding", "quiet"] in shown(at)["badges"]


def test_a_method_without_a_page_of_its_own_explains_a_drawn_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    for name in ("cx_gan", "va_gan"):
        tiny(tmp_path / name, name, collection="vagan_synthetic", kind="unknown")
    at = opened()
    next(box for box in at.selectbox if box.label == "Or a drawn picture").select("Synthetic picture 3").run()
    at = settled(at)
    (finding,) = shown(at)["findings"]
    assert not at.exception and finding["name"] == "Lesion" and "discrepancy map" in page_text(at)
    assert ["drawn without any finding", "quiet"] in shown(at)["badges"]


def test_a_model_from_elsewhere_shows_its_map_and_says_that_its_training_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    method("onnx").tiny(tmp_path / "somebody")
    at = settled(opened())
    findings = shown(at)["findings"]
    assert not at.exception and {finding["name"] for finding in findings} == {"Opacity", "Effusion"}
    assert all(finding["changes"] is None for finding in findings) and "where hiding changes the answer" in page_text(
        at
    )
    page = "\n".join(elements(at.main))
    assert page.index("made elsewhere") < page.index("otherwise_viewer")


def test_a_checkpoint_for_another_kind_of_scan_is_not_offered_first(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    made = tiny(tmp_path / "anything", "cx_gan", collection="elsewhere", kind="unknown")
    data = {"collection": "busi", "kind": "ultrasound", "guidance": "none"}
    save_checkpoint(
        tmp_path / "a-breast",
        method="cx_gan",
        config={**made.config, "data": data},
        weights=made.weights(),
        card=made.card,
    )
    at = settled(opened())  # the sample is a radiograph
    assert not at.exception and next(box for box in at.selectbox if box.label == "Checkpoint").value == made.identity


def test_switching_pages_keeps_the_scans(checkpoints):
    at = upload(opened(), "a.png", png())
    at.switch_page("pages/models.py").run()
    at.switch_page("pages/explain.py").run()
    assert on_show(at) == "Picture 1"


def test_several_findings_taken_away_together_are_asked_of_the_model(checkpoints, monkeypatch):
    amounts = {"Atelectasis": 1.0, "Cardiomegaly": 0.5}
    monkeypatch.setattr(
        "viewer.explain_state", lambda key, findings, picture: {"finding": "Atelectasis", "amounts": amounts}
    )
    at = settled(opened())
    heard = [e for e in at.get("bidi_component") if "explain-updates" in str(e)]
    job = next(job for key, job in common.worker()._finished.items() if key[0] == "without")
    assert not at.exception and heard
    assert set(job.answer()) == {"Atelectasis", "Cardiomegaly"}


def test_a_model_that_fails_says_so_and_can_be_tried_again(checkpoints, monkeypatch):
    def broken(*args):
        raise KeyError("inside")

    monkeypatch.setattr(common, "model_of", broken)
    at = upload(opened(), "a.png", png(48, 5))
    settled(at)
    assert not at.exception
    assert any("Something went wrong" in text for text in texts(at)) and not any("inside" in text for text in texts(at))
    monkeypatch.undo()
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(checkpoints))
    at.button(key="again").click()
    settled(at)
    assert shown(at)["findings"]


def test_two_checkpoints_are_seen_side_by_side_or_one_alone(checkpoints):
    at = settled(opened("pages/learned.py"))
    assert not at.exception and len(shown(at, "learned view")["panels"]) == 3
    at.selectbox[1].select_index(1)
    settled(at)
    panels = shown(at, "learned view")["panels"]
    assert [p["title"] for p in panels] == [
        "Films with cardiomegaly",
        "Films without cardiomegaly",
        "Weights for cardiomegaly",
    ] * 2
    assert len({p["limit"] for p in panels if p["title"].startswith("Films")}) == 1, "one scale for both checkpoints"
    assert len({p["limit"] for p in panels if p["title"].startswith("Weights")}) == 1


def test_what_was_not_learned_is_said_where_it_is_shown_and_on_the_page_of_models(tmp_path, monkeypatch):
    rows = (
        Measure("auc", "Effusion", 0.9, 0.8, 0.95, 100, chance=0.5),
        Measure("auc", "Edema", 0.52, 0.4, 0.64, 100, chance=0.5),
    )
    tiny(tmp_path / "attri-net-a", findings=("Effusion", "Edema"), metrics=Metrics(rows))
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    at = settled(opened("pages/learned.py"))
    said = lambda: [text for text in texts(at) if "has not been shown to know" in text]
    assert not said()
    at.session_state["learned finding"] = "Edema"
    at.run()
    settled(at)
    assert any("edema" in text and "0.40 to 0.64" in text for text in said())
    at = opened("pages/models.py")
    assert any("No result is shown for edema (0.40 to 0.64)" in text for text in texts(at))


def test_a_refused_checkpoint_is_listed_with_its_sentence(checkpoints, tmp_path, monkeypatch):
    method("attri_net").tiny(tmp_path / "attri-net-good")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{")
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    at = opened("pages/models.py")
    assert not at.exception
    assert any("half has no weights.safetensors" in text for text in texts(at))
    assert at.radio[0].options == ["Attri-Net, good"]
    assert not opened().exception


def test_another_checkpoint_is_opened_by_its_folder(checkpoints, tmp_path):
    method("attri_net").tiny(tmp_path / "attri-net-mine")
    at = opened("pages/models.py")
    at.text_input[0].set_value(str(tmp_path / "attri-net-mine"))
    at.button[0].click().run()
    assert not at.exception
    at.text_input[0].set_value("hub:somebody/something")
    at.button[0].click().run()
    assert any("pinned" in text for text in texts(at))


def adopted(folder, **changes):
    """The tiny ONNX network under its card with changes."""
    data, said = network().SerializeToString(), parsed(json.dumps({**CARD, **changes}))
    return save(folder, data, said, card_text(folder.name, "tiny.onnx", data, said, 0.001, "none: drawn for a test"))


def test_one_onnx_file_under_two_cards_is_two_models_and_a_corrected_card_takes_the_place_of_the_first(
    checkpoints, tmp_path
):
    first, second = (
        adopted(tmp_path / "onnx-model-as-sent"),
        adopted(tmp_path / "onnx-model-darker", value_range=[0, 0.5]),
    )
    at = opened("pages/models.py")
    for checkpoint in (first, second):
        at.text_input[0].set_value(str(checkpoint.folder))
        at.button[0].click().run()
    assert at.radio[0].options[-2:] == ["ONNX model, as sent", "ONNX model, darker"]
    assert (
        tasks.model_of(first, "cpu").network.interface.values != tasks.model_of(second, "cpu").network.interface.values
    )
    corrected = adopted(second.folder, value_range=[0, 0.7])
    at.text_input[0].set_value(str(corrected.folder))
    at.button[0].click().run()
    assert not at.exception and at.radio[0].options[-2:] == ["ONNX model, as sent", "ONNX model, darker"]
    assert at.session_state.opened[-1].config["network"]["values"] == [0, 0.7]
    assert tasks.model_of(corrected, "cpu").network.interface.values == (0, 0.7)


def test_the_same_model_under_another_name_is_said_to_be(checkpoints, tmp_path):
    same = adopted(tmp_path / "onnx-model-first"), adopted(tmp_path / "onnx-model-again")
    at = opened("pages/models.py")
    for checkpoint in same:
        at.text_input[0].set_value(str(checkpoint.folder))
        at.button[0].click().run()
    assert "ONNX model, again is the same model as ONNX model, first, which is open." in texts(at)


def test_names_of_checkpoints_read_as_words(checkpoints):
    assert [common.label(c) for c in common.usable()] == ["Attri-Net, one", "Attri-Net, two"]
