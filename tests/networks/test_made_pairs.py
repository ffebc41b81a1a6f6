"""Made pairs: the change is the truth in the network's range, held-back patients never teach, and the loss does not
settle at nothing.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.datasets.phantom.collection import Phantom
from engine.datasets.selected_findings import SelectedFindings
from engine.methods.attri_net.train import AttriNetRecipe
from engine.methods.cx_gan.network import Architecture as Sizes
from engine.methods.cx_gan.train import CxGanRecipe
from engine.methods.cx_gan.train import Preset as CxPreset
from engine.networks.augmentation import Augmentation
from engine.networks.made_pairs import MadePairs, emphasis_at, made_pairs_for, pair_loss, pair_recovery
from engine.preprocessing import Preprocessing
from engine.training.loop import Machine, UnusableRun, run
from tests.methods.attri_net.small import PATIENTS, DrawnOnce, patients, preset
from tests.methods.attri_net.small import recipe as attri_net

SIZE = 32
PREP = Preprocessing(SIZE)
FINDINGS = tuple(Phantom.findings)


@pytest.fixture(scope="module")
def others():
    """The patients of another phantom: none of them is one of `patients()`."""
    return DrawnOnce(PATIENTS, seed=7)


def test_a_pair_is_the_picture_and_its_truth_by_the_pictures_own_percentiles(others):
    made = MadePairs(others, FINDINGS, PREP)
    index, c = int(others.annotated("Effusion")[0]), FINDINGS.index("Effusion")
    before, after = made.pair(index, c)
    assert np.abs(before - PREP.apply(others.image(index, SIZE))).max() <= 0.9 / 254 + 1e-6
    low, high = PREP.ends(others.image(index, SIZE))
    true = np.clip(
        (others.counterfactual(index, SIZE, without=("Effusion",)) - low) * 1.8 / (high - low) - 0.9, -0.9, 0.9
    )
    assert np.abs(after - true).max() <= 0.9 / 254 + 1e-6
    assert np.array_equal(made.pair(index, c)[1], after)


def test_a_batch_walks_through_the_findings_and_a_third_of_it_stays_as_it_is(others):
    made = MadePairs(others, FINDINGS, PREP)
    before, change, task = made.batch(np.random.default_rng(0), 60)
    assert before.shape == change.shape == (60, 1, SIZE, SIZE) and np.bincount(task.numpy()).tolist() == [12] * 5
    still = (change.abs().amax(dim=(1, 2, 3)) == 0).float().mean()
    assert 0.15 < still < 0.55
    again = made.batch(np.random.default_rng(0), 60)
    assert torch.equal(again[0], before) and torch.equal(again[1], change)


def test_picture_and_truth_are_moved_alike(others):
    made = MadePairs(others, ("Edema",), PREP)
    moved = made.batch(np.random.default_rng(1), 12, Augmentation(rotate=8, shift=0.05, gamma=0.2), mirror=True)
    changed = moved[1].abs().amax(dim=(1, 2, 3)) > 0
    assert changed.any() and not changed.all()  # an idle picture stays idle however it is moved
    assert (moved[0] + moved[1]).abs().max() <= 0.9 + 1e-5


def test_patients_that_are_held_back_never_teach(others):
    held = set(others.patients[others.split("train")[::2]])
    made = MadePairs(others, FINDINGS, PREP, held_out=sorted(held))
    drawn = {others.patients[index] for seed in range(40) for index in made.draw(np.random.default_rng(seed), 10)[0]}
    assert drawn and not drawn & held and drawn <= set(others.patients[others.split("train")])
    pupil = patients()
    own = made_pairs_for(pupil, pupil, PREP)
    drawn = {pupil.patients[index] for seed in range(40) for index in own.draw(np.random.default_rng(seed), 10)[0]}
    assert drawn <= set(pupil.patients[pupil.split("train")])


def test_a_picture_of_the_same_family_does_not_teach_absence(others):
    family = ("Consolidation", "Edema")
    made = MadePairs(others, FINDINGS, PREP, family=family)
    absent = made._absent["train"][FINDINGS.index("Edema")]
    assert len(absent) and not others.labels[absent][:, [FINDINGS.index(f) for f in family]].any()
    assert others.labels[made._absent["train"][FINDINGS.index("Effusion")]][:, FINDINGS.index("Edema")].any()


def test_without_truth_or_common_findings_there_is_no_teacher(others):
    with pytest.raises(ValueError, match="films knows no true counterfactuals"):
        MadePairs(SimpleNamespace(name="films", findings=("Effusion",), has_counterfactuals=False), ("Effusion",), PREP)
    with pytest.raises(ValueError, match="none of which is among Hernia"):
        MadePairs(others, ("Hernia",), PREP)
    assert made_pairs_for(None, others, PREP) is None


def test_the_loss_is_a_weighted_l1_that_knows_the_truth_only():
    true = torch.zeros(1, 1, 8, 8)
    true[..., 2:4, 2:4] = -0.4
    assert pair_loss(true, true, 4) == 0
    nothing = pair_loss(torch.zeros_like(true), true, 4)
    assert float(nothing) == pytest.approx(5 * 4 * 0.4 / 64, rel=1e-5)
    elsewhere = torch.zeros_like(true)
    elsewhere[..., 5:7, 5:7] = -0.4
    assert float(pair_loss(elsewhere, true, 4) - nothing) == pytest.approx(4 * 0.4 / 64, rel=1e-5)
    assert pair_loss(true / 2, true, 4) < nothing
    still = torch.zeros_like(true)
    assert float(pair_loss(elsewhere, still, 4)) == pytest.approx(4 * 0.4 / 64, rel=1e-5)
    assert pair_recovery(true, true) == 1 and pair_recovery(torch.zeros_like(true), true) == 0


def test_emphasis_is_what_keeps_a_doubtful_change_from_being_none_at_all():
    """One of four places changes, and nobody can know which: plain L1 asks for nothing, with emphasis for
    the change.
    """
    truths = torch.zeros(4, 1, 4, 4)
    for n in range(4):
        truths[n, 0, n] = -1
    amounts = torch.linspace(0, 1, 21)
    for emphasis, best in ((0, 0.0), (1, 0.0), (4, 1.0)):
        losses = torch.stack([pair_loss(torch.full_like(truths, -float(a)), truths, emphasis) for a in amounts])
        assert float(amounts[losses.argmin()]) == pytest.approx(best)


@pytest.fixture(scope="module")
def fabric(tmp_path_factory):
    return Machine("cpu").fabric(tmp_path_factory.mktemp("fabric"))


def test_attri_net_learns_from_pairs_beside_its_own_losses(others, fabric):
    made = AttriNetRecipe(patients(), preset(learning_rate=2e-3, made_pairs=8, pairs_first=60), pairs=others)
    critic = {k: v.clone() for k, v in made.critic.state_dict().items()}
    first = [made.step(step, fabric) for step in range(60)]
    assert all(set(losses) == {"pairs"} for losses in first)
    assert np.mean([losses["pairs"] for losses in first[-10:]]) < 0.9 * np.mean(
        [losses["pairs"] for losses in first[:10]]
    )
    assert all(torch.equal(critic[k], v) for k, v in made.critic.state_dict().items())
    assert {"pairs", "critic", "adversarial", "classification"} <= set(made.step(60, fabric))
    scores = made.validate(fabric)
    assert scores["score"] == pytest.approx(scores["auc"] + scores["recovery"])
    assert "recovery" not in attri_net().validate(fabric)


@pytest.mark.parametrize("cascaded", [0, 1])
def test_cx_gan_learns_from_pairs_beside_its_own_losses(cascaded, others, tmp_path):
    sizes = Sizes(size=SIZE, width=4, levels=3, critic_width=4)
    chosen = CxPreset(
        architecture=sizes,
        cascaded=cascaded,
        first_phase=0.5,
        steps=6,
        validate_every=3,
        patience=0,
        pairs=4,
        history=3,
        validated=4,
        pairs_first=2,
    )
    effusions = [SelectedFindings(collection, ("Effusion",)) for collection in (patients(), others)]
    recipe = CxGanRecipe(effusions[0], chosen, pairs=effusions[1])
    said = [recipe.step(step, Machine("cpu").fabric(tmp_path)) for step in range(6)]
    assert set(said[0]) == set(said[1]) == {"pairs"} and "discriminators" in said[2]
    assert ("pairs" in said[2]) == (not cascaded) and "pairs" in said[5]
    assert "recovery" in recipe.validate(Machine("cpu").fabric(tmp_path))


def test_a_run_with_pairs_does_not_go_on_without_them(others, tmp_path):
    run(AttriNetRecipe(patients(), preset(steps=1), pairs=others), tmp_path, Machine("cpu").fabric(tmp_path))
    with pytest.raises(UnusableRun, match="started with another pairs"):
        run(AttriNetRecipe(patients(), preset(steps=2)), tmp_path, Machine("cpu").fabric(tmp_path), resume=True)
    with pytest.raises(ValueError, match="pairs_first asks for steps with made pairs alone"):
        AttriNetRecipe(patients(), preset(pairs_first=1))


def test_emphasis_falls_to_its_last_value_and_stays():
    values = [emphasis_at(step, 40, 5, 100) for step in (0, 50, 100, 1000)]
    assert values == pytest.approx([40, (40 * 5) ** 0.5, 5, 5])
    assert emphasis_at(0, 3, 0, 10) == 3 and emphasis_at(5, 3, 0, 10) == 1.5 and emphasis_at(7, 3, 2, 0) == 2


def test_every_finding_of_a_picture_can_teach_at_once(others):
    made = MadePairs(others, FINDINGS, PREP, family=("Consolidation", "Edema"))
    before, change, known = made.whole_batch(np.random.default_rng(3), 20)
    chosen, _ = made.draw(np.random.default_rng(3), 20)
    labels = torch.from_numpy(others.labels[chosen]) == 1
    assert change.shape == (20, 5, SIZE, SIZE) and torch.equal(known[:, [0, 1, 4]], torch.ones(20, 3, dtype=torch.bool))
    alike = labels[:, [2, 3]].sum(dim=1) == 1
    assert alike.any() and torch.equal(known[alike][:, [2, 3]], labels[alike][:, [2, 3]])
    assert not change.abs().amax(dim=(2, 3))[~labels].any()
    n, c = torch.nonzero(labels)[0].tolist()
    first, second = made.pair(chosen[n], c)
    assert np.allclose(before[n, 0], first) and np.allclose(change[n, c], second - first)


def test_a_small_change_counts_like_a_large_one_of_its_own_kind(others):
    made = MadePairs(others, FINDINGS, PREP)
    plate, veil = (FINDINGS.index(f) for f in ("Atelectasis", "Edema"))
    assert 0 < made.sizes[plate] < made.sizes[veil]
    true = torch.rand(1, 1, 8, 8)
    assert float(pair_loss(true * 0, true, 0, torch.tensor([0.5]))) == pytest.approx(2 * float(true.mean()), rel=1e-5)
