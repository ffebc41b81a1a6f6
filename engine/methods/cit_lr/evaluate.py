"""The quality of a generator's counterfactuals, on held-out pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.bias.interventions import StructuralInterventions
from engine.datasets.collection import Collection
from engine.datasets.phantom.collection import Phantom
from engine.methods.cit_lr.generator import BATCH, DiffusionInterventions
from engine.methods.cit_lr.sampling import Sampler
from engine.metrics.classification import weighted_auc
from engine.metrics.composition import composition
from engine.metrics.effectiveness import effectiveness
from engine.metrics.fid import fid
from engine.metrics.intervals import bootstrap, mean_interval
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.subjects import Variant

FIXED = (
    "a classifier that was trained on real pictures only; the generator used it once, to choose the strength of "
    "guidance"
)
FEATURES = "Frechet distance of that classifier's features, not of Inception's. Compare it within this table only"
PLAIN = "noise drawn, no disentangling"
BLIND = "inverted without the attributes, no disentangling"
BETA_VAE = "beta-VAE"
EXACT = "drawn anew, exact"
BESIDE = 40  # pictures that these are measured on, but for the exact ones, which cost little
Show = Callable[[np.ndarray, np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def quality(
    generator: DiffusionInterventions, collection: Collection, indices: np.ndarray, progress=None
) -> dict[str, list[Measure]]:
    """Composition, effectiveness, FID and what becomes of the findings, for every attribute.

    Args:
        indices: of held-out pictures; those whose value is unknown take no part, and there are no rows where it is
            unknown of all.
    """
    return {name: _of_attribute(generator, collection, indices, name, progress) for name in generator.attributes}


def evaluate(
    generator: DiffusionInterventions,
    collection: Collection,
    indices: np.ndarray,
    found: Mapping[str, Sequence[Measure]] | None = None,
) -> tuple[list[Measure], list[str]]:
    """All rows, with what the same networks do without disentangling and what a beta-VAE and, of drawn films, exact
    pictures do beside them, and remarks on what could not be measured.

    Args:
        found: the result of `quality` for these pictures, where it is known already.
    """
    rows: list[Measure] = []
    found = quality(generator, collection, indices) if found is None else found
    for name, measured in found.items():
        rows += _with_attribute(name, measured)
    some = indices[:: max(1, len(indices) // BESIDE)]
    baselines = {
        PLAIN: (_plain(generator), some),
        BLIND: (_blind(generator), some),
        BETA_VAE: (_beta_vae(generator), some),
    }
    if isinstance(collection.whole, Phantom):
        baselines[EXACT] = _exact(generator, collection), indices
    for words, (show, chosen) in baselines.items():
        for name in generator.attributes:
            rows += _with_attribute(
                name, _of_attribute(generator, collection, chosen, name, None, show, words == EXACT), words
            )
    return rows, [
        f"{name} was not measured: no picture here has a known value of it"
        for name, measured in found.items()
        if not measured
    ]


def _with_attribute(attribute: str, rows: Sequence[Measure], model: str = "") -> list[Measure]:
    return [replace(row, attribute=attribute, model=model) for row in rows]


def _of_attribute(
    generator: DiffusionInterventions,
    collection: Collection,
    indices: np.ndarray,
    name: str,
    progress=None,
    show: Show | None = None,
    of_findings: bool = True,
) -> list[Measure]:
    values, k = generator.attributes[name], [*generator.attributes].index(name)
    codes = generator.codes(collection, indices)
    indices, codes = indices[codes[:, k] >= 0], codes[codes[:, k] >= 0]
    if not len(indices):
        return []
    patients, value_range = collection.patients[indices], generator.preprocessing.value_range
    x = np.stack([generator.preprocessing.apply(collection.image(int(i), generator.size)) for i in indices])
    made = {value: np.empty_like(x) for value in values}
    for start in range(0, len(x), BATCH):
        chosen = slice(start, start + BATCH)
        base, changed = (show or _counterfactuals(generator))(indices[chosen], x[chosen], codes[chosen], k)
        for m, value in enumerate(values):
            made[value][chosen] = x[chosen] + changed[:, m] - base
        if progress:
            progress(min(start + BATCH, len(x)), len(x))
    own = np.array(values)[codes[:, k]]
    null = np.stack([made[value][n] for n, value in enumerate(own)])
    rows = [composition(x, null, 2 * value_range, groups=patients, variant=Variant.NULL)]
    before, believed, features = generator.oracle_answers(x)
    target_values, predicted, whose, was, others, other_features, moved = [], [], [], [], [], [], []
    for value in values:
        changed_to = own != value
        if not changed_to.any():
            continue
        after, probabilities, seen = generator.oracle_answers(made[value][changed_to])
        target_values += [value] * int(changed_to.sum())
        predicted += [*after[name]]
        whose += [*patients[changed_to]]
        was += [*before[name][changed_to]]
        others.append((np.flatnonzero(changed_to), probabilities))
        if of_findings:
            moved += _shifts(
                probabilities - believed[changed_to], generator.findings, name, value, patients[changed_to]
            )
        other_features.append(seen)
    right = f"On real pictures it is right in {np.mean(before[name] == own):.3f}"
    rows += effectiveness(
        target_values, predicted, attribute=name, groups=whose, before=was, remark=f"judged by {FIXED}. {right}"
    )
    labels = collection.labels[indices]
    for c, finding in enumerate(generator.findings if of_findings else ()):
        rows += _auc_change(labels[:, c], believed[:, c], others, c, finding, patients)
    rows += moved
    try:
        rows.append(
            fid(
                features,
                np.concatenate(other_features),
                variant=Variant.ALTERNATIVES,
                groups_a=patients,
                groups_b=whose,
                remark=FEATURES,
            )
        )
    except NotMeasurable:
        pass  # fewer pictures than features: nothing to be said, and no row says it
    return rows


def _shifts(
    moved: np.ndarray, findings: Sequence[str], attribute: str, value: str, patients: np.ndarray
) -> list[Measure]:
    """By how much the oracle classifier's probability of each finding moves on average, (n, C), from the originals to
    the pictures made under one value.

    The oracle classifier was trained not to read findings off attributes, so that most of this are traces of making a
    picture.
    """
    rows = []
    for c, finding in enumerate(findings):
        low, high = mean_interval(moved[:, c], patients)
        rows.append(
            Measure(
                "effect",
                finding,
                float(moved[:, c].mean()),
                low,
                high,
                len(moved),
                chance=0.0,
                remark=f"of {FIXED}",
                attribute=attribute,
                attribute_value=value,
                variant=Variant.PROBABILITY,
            )
        )
    return rows


def _auc_change(
    label: np.ndarray, before: np.ndarray, others: list, c: int, finding: str, patients: np.ndarray
) -> list[Measure]:
    """By how much the oracle classifier's AUC of a finding changes from the originals to their counterfactuals."""
    where = np.concatenate([n for n, _ in others])
    after = np.concatenate([probabilities[:, c] for _, probabilities in others])
    known = ~np.isnan(label[where])
    where, after = where[known], after[known]
    positive = label[where] == 1
    if positive.all() or not positive.any():
        return []
    area_before, area_after = weighted_auc(positive, before[where]), weighted_auc(positive, after)
    low, high = bootstrap(lambda weights: area_after(weights) - area_before(weights), len(where), patients[where])
    once = np.ones((1, len(where)))
    was, now = float(area_before(once)[0]), float(area_after(once)[0])
    return [
        Measure(
            "effect",
            finding,
            now - was,
            low,
            high,
            len(where),
            chance=0.0,
            remark=f"of {FIXED}. Before: {was:.3f}",
            variant=Variant.AUC,
        )
    ]


def _counterfactuals(generator: DiffusionInterventions) -> Show:
    def show(indices, x, codes, k):
        found = generator.sampled(x, codes, k)
        return found.base, found.changed

    return show


def _plain(generator: DiffusionInterventions) -> Show:
    """A standard conditional latent diffusion model (3.2 of CIT-LR): noise is added, and the picture is sampled under
    the codes.
    """
    random = np.random.default_rng(0)

    def start(z: Tensor, codes: Tensor, k: int) -> Tensor:
        d = generator.diffusion
        noise = torch.from_numpy(random.standard_normal(z.shape, np.float32)).to(z)
        return d.add_noise(z, torch.full((len(z),), int(d.timesteps()[-1]) - 1, dtype=torch.int64), noise)

    return _from_noise(generator, start)


def _blind(generator: DiffusionInterventions) -> Show:
    """Inverted as if the attribute were not known, so that the noise keeps what it says of it."""

    def start(z: Tensor, codes: Tensor, k: int) -> Tensor:
        unknown = codes.clone()
        unknown[:, k] = -1
        return Sampler(generator.nets, generator.diffusion).noise_of(z, unknown, k)

    return _from_noise(generator, start)


def _beta_vae(generator: DiffusionInterventions) -> Show:
    """The beta-VAE's own reconstruction under each value. What it cannot reconstruct is lost under every value."""

    def show(indices, x, codes, k):
        target_codes, net = generator.target_codes(codes, k), generator.nets.beta_vae
        n, m = target_codes.shape[:2]
        with torch.inference_mode():
            z, _ = net.encode(
                torch.from_numpy(x[:, None]).to(generator.device), torch.from_numpy(codes).to(generator.device)
            )
            drawn = net.decode(
                z.repeat_interleave(m, 0), torch.from_numpy(target_codes.reshape(n * m, -1)).to(z.device)
            ).clamp(-1, 1)
        return x, drawn[:, 0].cpu().numpy().reshape(n, m, *x.shape[1:])

    return show


def _exact(generator: DiffusionInterventions, collection: Collection) -> Show:
    """The phantom's own structural model: the scores of perfect counterfactuals, which the others are compared with."""
    structural = StructuralInterventions(collection)

    def show(indices, x, codes, k):
        name, values = [*generator.attributes.items()][k]
        pictures = structural.counterfactuals(collection, indices, name, size=generator.size).pictures
        drawn = [[generator.preprocessing.apply(film) for film in pictures[value]] for value in values]
        return x, np.stack(drawn, 1)

    return show


def _from_noise(generator: DiffusionInterventions, start: Callable[[Tensor, Tensor, int], Tensor]) -> Show:
    def show(indices, x, codes, k):
        target_codes, nets = generator.target_codes(codes, k), generator.nets
        n, m = target_codes.shape[:2]
        with torch.inference_mode():
            z = nets.autoencoder.encode(torch.from_numpy(x[:, None]).to(generator.device))
            noise = start(z, torch.from_numpy(codes).to(z.device), k).repeat_interleave(m, 0)
            targets = torch.from_numpy(target_codes.reshape(n * m, -1)).to(z.device)
            edited = Sampler(nets, generator.diffusion).picture_of(noise, targets, k)
            drawn = nets.autoencoder.decode(torch.cat([z, edited])).clamp(-1, 1)[:, 0].cpu().numpy()
        return drawn[:n], drawn[n:].reshape(n, m, *drawn.shape[1:])

    return show
