"""The Review page without a browser: with no model, with one, and what it keeps and shows."""

import pytest
from streamlit.testing.v1 import AppTest

from engine.answers import NoAnswer
from engine.review.agreement import influence, kappas, pairs
from engine.review.measurements import ScanFacts
from engine.review.records import to_json
from engine.review.store import Store
from pages.components import (
    agreement_picture,
    common,
    desk,
    first_reading,
    open_scans,
    review_panel,
    review_view,
    sketching,
    words,
)
from tests.places import ROOT
from tests.review.test_agreement import invented
from tests.review.test_records import annotation, opinion, reading
from tests.tiny_checkpoints import tiny
from viewer.marks import FIELDS, Drawn

PHANTOM = "Phantom patient 1"
KEEP = "Keep it and reveal the model's answer"


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Reviews are kept in a folder, and there is no model at all."""
    monkeypatch.setenv("OTHERWISE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("OTHERWISE_DATABASE", raising=False)
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path / "none"))
    return tmp_path / "data"


def page(blind=False):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    at.session_state["blind until read"] = blind  # else the page Explain, which comes first, shows the model's answer
    return at.run().switch_page("pages/review.py").run()


def said(at):
    return [text.value for text in at.text]


def button(at, label):
    return next(one for one in at.button if one.label == label)


def named(at, name="Dr A"):
    at.text_input(key="reader name").set_value(name).run()
    return at


def kept(data):
    return Store(f"sqlite:///{data / 'review.sqlite'}")


def test_it_works_without_any_model_and_a_case_goes_through_its_states(data):
    at = page()
    assert not at.exception and any("No checkpoint here takes this scan" in line for line in said(at))
    assert not [one for one in at.button if one.label == "Submit"], "nobody submits without a name"
    named(at)
    assert any("Dr A (name not verified)" in line for line in said(at))
    button(at, "Submit").click().run()
    assert any("Revision 1, by Dr A" in line for line in said(at))
    assert any("another reader must accept or return it" in line for line in said(at))
    assert not [one for one in at.button if one.label in ("Accept", "Return")]
    at.session_state["reader"] = "Dr B"
    at.run()
    button(at, "Return").click().run()
    assert any("Say why" in line for line in said(at))
    next(one for one in at.text_input if one.label == "Why it is returned").set_value("Look again.").run()
    button(at, "Return").click().run()
    assert any("Look again." in line for line in said(at)) and not at.exception
    button(at, "Submit").click().run()
    at.session_state["reader"] = "Dr A"
    at.run()
    button(at, "Accept").click().run()
    store = kept(data)
    (case,) = store.cases()
    assert case.state == "accepted" and case.revision == 4 and store.verify().faults == ()
    assert any("Dr A accepted the case" in line for line in said(at))


def test_a_decision_on_what_another_reader_changed_meanwhile_is_refused_and_said(data):
    button(named(page()), "Submit").click().run()
    late = named(page(), "Dr B")
    button(late, "Accept")
    store = kept(data)
    (case,) = store.cases()
    store.move(case.scan_sha256, "returned", base=1, reader="Dr C", note="The other side.")
    button(late, "Accept").click().run()
    refused = "Not accepted: Dr C has saved this case at"
    assert any(line.startswith(refused) and "it is returned" in line for line in said(late))
    assert store.cases()[0].state == "returned"
    assert any(line.startswith(refused) for line in said(late.run())), "it stands until the reader decides again"
    button(late, "Submit").click().run()
    assert not any(line.startswith("Not ") for line in said(late)) and store.cases()[0].state == "submitted"


def test_another_session_sees_what_was_done_and_by_whom(data):
    button(named(page()), "Submit").click().run()
    other = page()
    assert any("by Dr A" in line for line in said(other)) and any("Dr A submitted the case" in x for x in said(other))


def test_in_memory_it_says_so_and_nothing_is_written(data, monkeypatch):
    monkeypatch.delenv("OTHERWISE_DATA")
    at = named(page())
    assert any("Kept in memory only" in line for line in said(at))
    button(at, "Submit").click().run()
    assert any("Revision 1" in line for line in said(at)) and not data.exists()
    assert not any("Revision 1" in line for line in said(page())), "another session has its own"


def test_a_database_that_cannot_be_opened_is_one_sentence(data, monkeypatch):
    monkeypatch.setenv("OTHERWISE_DATABASE", "mysql://nowhere/x")
    at = page()
    assert not at.exception and any("OTHERWISE_DATABASE names" in line for line in said(at))


@pytest.fixture
def model(data, tmp_path, monkeypatch, inference_here):
    tiny(tmp_path / "models" / "attri-net-one")
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path / "models"))
    return data


def settled(at):
    for _ in range(100):
        if not len(common.worker()):
            break
        at.run()
    return at.run()


def test_a_reader_agrees_or_disagrees_with_a_reason(model):
    at = named(page())
    at.toggle(key="show model").set_value(True).run()
    settled(at)
    choices = [one for one in at.button_group if one.label.startswith("Do you agree on")]
    assert choices
    choices[0].set_value("Disagree").run()
    assert not kept(model).opinions()
    next(one for one in at.text_input if one.label == "Why").set_value("A rib.").run()
    (one,) = kept(model).opinions()
    assert (one.reader, one.agrees, one.reason) == ("Dr A", False, "A rib.")
    assert any(f"Dr A disagreed on {one.finding}: A rib." in line for line in said(at.run()))


def test_the_models_answer_is_seen_only_after_the_readers_own(model):
    at = named(page(blind=True))
    at.button_group(key="review mode").set_value("Read first").run()
    assert not any("the model says" in line for line in said(at)), "nothing of the model before the reveal"
    findings = len(at.select_slider)
    assert findings > 1 and all(one.value == first_reading.NOT_ANSWERED for one in at.select_slider)
    at.select_slider[0].set_value(90).run()
    assert button(at, KEEP).disabled, "what was never answered is no reading"
    missing = f"{findings - 1} of {findings} findings {'is' if findings == 2 else 'are'} not answered yet."
    assert missing in said(at)
    button(at, "The rest: absent").click().run()
    assert not any("not answered yet" in line for line in said(at))
    button(at, KEEP).click().run()
    settled(at)
    before = kept(model).readings()
    assert {one.stage for one in before} == {"before"} and before[0].confidence == 0.9
    assert [one.confidence for one in before[1:]] == [0] * (findings - 1)
    assert any("the model says" in line for line in said(at))
    at.toggle[0].set_value(False).run()
    at.slider[0].set_value(20).run()
    button(at, "Keep this as my final reading").click().run()
    after = [one for one in kept(model).readings() if one.stage == "after"]
    assert len(after) == len(before) and after[0].aids == ("words",) and after[0].confidence == 0.2
    assert after[0].probability is not None and influence(pairs(kept(model).readings())).changed.n == len(after)
    assert page().run().button_group(key="review mode").set_value("Agreement").run().exception == []


def test_an_answer_that_means_nothing_is_neither_shown_nor_kept_nor_counted(model, tmp_path, monkeypatch):
    tiny(tmp_path / "silent" / "attri-net-one", seed=7)  # a model of its own: no answer of it is kept from another test
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path / "silent"))
    counted = words.no_answer
    (checkpoint,) = common.usable()
    silent = checkpoint.config["findings"][0]
    monkeypatch.setattr(
        words, "no_answer", lambda one, rates: NoAnswer.INDIFFERENT if one.finding == silent else counted(one, rates)
    )
    at = named(page(blind=True))
    at.button_group(key="review mode").set_value("Read first").run()
    button(at, "The rest: absent").click().run()
    button(at, KEEP).click().run()
    settled(at)
    assert any(line.startswith(f"{silent}: the model gives no answer") for line in said(at))
    button(at, "Keep this as my final reading").click().run()
    after = {one.finding: one for one in kept(model).readings() if one.stage == "after"}
    assert after[silent].probability is None and after[silent].threshold is None
    assert silent not in {pair.before.finding for pair in pairs(kept(model).readings())}
    (line,) = [line for line in said(settled(at)) if line.startswith(f"{silent}: 0 % before")]
    assert line.split(";")[1].strip() == "the model gives no answer that means anything"


def test_the_truth_of_a_drawn_scan_is_known_for_a_model_of_its_collection(model, monkeypatch):
    opened = open_scans.phantom_patient(PHANTOM)
    checkpoint = next(c for c in common.usable())
    monkeypatch.setattr(common, "trained_on", lambda c: opened.drawn_by)
    known = first_reading.truths(opened, checkpoint)
    assert known and all(value == (finding in opened.truth) for finding, value in known.items())
    monkeypatch.setattr(common, "trained_on", lambda c: "another")
    assert first_reading.truths(opened, checkpoint) == {}


def test_what_was_done_is_said_in_words(tmp_path):
    store = Store()
    one = annotation("area", label="Mass", scan_sha256="ab" * 32)
    store.save("ab" * 32, [one], base=0, reader="A", facts=ScanFacts((40, 60)))
    store.save("ab" * 32, [], base=1, reader="B")
    store.keep([reading(confidence=0.8), opinion()])
    store.move("ab" * 32, "submitted", base=2, reader="B")
    assert [review_panel.done(entry) for entry in store.history("ab" * 32)] == [
        "drew an ellipse \u201cMass\u201d",
        "removed an ellipse \u201cMass\u201d",
        "read Effusion: 80 %, before the reveal",
        "agreed on Mass",
        "submitted the case",
    ]


def test_the_pictures_of_agreement_show_every_reader_and_every_number():
    both = pairs(invented("ABC"))
    shown = [influence(both), *(influence(both, name) for name in "ABC")]
    for rows in (
        agreement_picture.right_rows(shown),
        agreement_picture.bias_rows(shown),
        agreement_picture.kappa_rows(kappas(both)),
        agreement_picture.advice_rows(shown),
    ):
        chart = agreement_picture.figure("share", rows, (0, 1))
        assert len(chart.data[0].x) == len(rows) >= 4
        low, high = chart.layout.xaxis.range
        assert all(low <= one.low <= one.value <= one.high <= high for _, one, _, _ in rows)
    assert "Right before the reveal" in agreement_picture.sentence(shown[0])
    assert "<b>" not in str(agreement_picture.figure("", [("<b>x", shown[0].changed, "#fff", "circle")], (0, 1)).layout)


def test_drawings_offer_the_models_findings_as_labels(model):
    (checkpoint,) = common.usable()
    opened = open_scans.phantom_patient(PHANTOM)
    assert review_view.labels(opened, checkpoint) == list(checkpoint.config["findings"])
    assert review_view.labels(opened, None) == []


def test_the_view_names_the_scan_whose_drawings_lie_on_it(model):
    at = page()
    (sha,) = at.session_state["desks"]
    assert at.session_state["review-header"]["scan_sha256"] == sha
    at.toggle(key="show model").set_value(True).run()
    settled(at)
    assert at.session_state["review-header"]["kind"] == "panels"
    assert at.session_state["review-header"]["scan_sha256"] == sha
    at.switch_page("pages/explain.py").run()
    assert settled(at).session_state["explain-header"]["scan_sha256"] == sha


def test_what_was_drawn_just_before_turning_to_another_scan_is_saved_with_its_own(data, monkeypatch):
    first, other = (open_scans.phantom_patient(name) for name in (PHANTOM, "Phantom patient 2"))
    monkeypatch.setattr(sketching, "latest_drawn", lambda view: None)
    monkeypatch.setattr(desk, "reader", lambda: "Dr A")
    here, _ = sketching.begin(first, "review")
    mark = {name: value for name, value in to_json(annotation()).items() if name in FIELDS}
    sent = Drawn(first.scan.sha256, loaded=here.loaded, base=0, number=1, marks=(mark,))
    monkeypatch.setattr(sketching, "latest_drawn", lambda view: sent)
    for _ in range(2):
        there, _ = sketching.begin(other, "review")
    assert there.drawn == () and [one.reader for one in desk.kept(first.scan.sha256).annotations] == ["Dr A"]
    assert desk.kept(other.scan.sha256) == desk.Kept()


def test_an_export_has_what_readers_drew_and_said(model):
    opened = open_scans.phantom_patient(PHANTOM)
    sha = opened.scan.sha256
    assert desk.kept(sha) == desk.Kept()
    desk.store().save(sha, [annotation(scan_sha256=sha)], base=0, reader="A", facts=ScanFacts.of(opened.scan))
    drawn = desk.kept(sha)
    desk.store().keep([reading(scan_sha256=sha), opinion(scan_sha256=sha)])
    both = desk.kept(sha)
    assert len(drawn.annotations) == 1 and len(both.readings) == len(both.opinions) == 1
    assert len({desk.Kept().stamp, drawn.stamp, both.stamp}) == 3, "an export made before is not shown for one after"


def test_the_drawings_are_saved_without_a_model(data):
    sha, here = page().session_state["desks"].popitem()
    kept(data).save(sha, [annotation(scan_sha256=sha, label="Mass")], base=0, reader="A", facts=here.facts)
    at = page()
    button(at, "Save the drawings").click().run()
    assert not at.exception and any("otherwise-drawings.zip" in html.proto.body for html in at.get("html"))
