"""What several commands share: how data are named, under which terms each collection may be used, and how many threads work."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path

from engine.datasets import COLLECTIONS, NEED_NO_FOLDER, Collection, collection_class, open_collection
from engine.datasets.against import Against
from engine.datasets.chosen import Chosen
from engine.errors import OneSentence

NO_OPTIONS = ("root", "findings", "memory")  # of a collection, that are not given as name=value
TERMS = {
    "phantom": "Drawn by `engine/datasets/phantom/collection.py`; no patient. Apache-2.0, as this project.",
    "chestxray8": "NIH ChestX-ray8/14 (Wang et al. 2017), free to use with attribution to the NIH Clinical Center.",
    "chexpert": "CheXpert (Irvin et al. 2019), Stanford University Dataset Research Use Agreement.",
    "mimic_cxr": "MIMIC-CXR-JPG (Johnson et al. 2019) and MIMIC-IV, PhysioNet Credentialed Health Data License.",
    "vagan_synthetic": "Drawn by `engine/datasets/vagan_synthetic.py` after Baumgartner et al. 2018; no patient. Apache-2.0, as this project.",
    "busi": "Breast Ultrasound Images Dataset (Al-Dhabyani et al., Data in Brief 2020), open access, with attribution.",
    "brain_mri": "Brain Tumor Classification (MRI), Bhuvaji et al. 2020; the copy used states no terms.",
    "brats": "BraTS (Bakas et al. 2017), for research, with registration.",
    "tuberculosis": "Shenzhen and Montgomery (Jaeger et al. 2014, free with attribution), Belarus TB portal and KIT, each under its own terms.",
    "implants": "Lesions drawn by `engine/datasets/implants.py` into films of NIH ChestX-ray8/14 (Wang et al. 2017), free to use with "
    "attribution to the NIH Clinical Center.",
    "vindr": "VinDr-CXR (Nguyen et al. 2022), PhysioNet Credentialed Health Data License.",
}


def use_threads(threads: int | None) -> None:
    """At most so many CPU threads from here on, in this process and in those that it starts; None leaves it to the machine."""
    if threads:
        import torch

        torch.set_num_threads(threads)
        os.environ["OMP_NUM_THREADS"] = str(threads)  # Fabric asks this before it chooses a number itself


def settings(pairs: Sequence[str]) -> dict[str, str]:
    """["name=value", ...] as a dict."""
    broken = [pair for pair in pairs if "=" not in pair]
    if broken:
        raise OneSentence(f"settings are written name=value, got {broken[0]!r}.")
    return dict(pair.split("=", 1) for pair in pairs)


def check_options(data: str, chosen: Mapping[str, object]) -> None:
    """Refuses options that the collection called `data` does not have, and text where it takes a whole number.

    Raises:
        OneSentence: names the options that there are.
    """
    known: dict[str, Parameter] = {
        name: one for name, one in signature(collection_class(data)).parameters.items() if name not in NO_OPTIONS
    }
    offered = sorted([*known, *(["marker_share"] if "marker" in known else [])])
    for name, value in chosen.items():
        if name not in offered:
            raise OneSentence(f"{data} has no such option as {name!r}; there are {', '.join(offered)}.")
        if name in known and isinstance(known[name].default, int) and not isinstance(value, int):
            raise OneSentence(f"{name} must be a whole number, got {value!r}.")


def opened(
    data: str, root: Path | None, findings: Sequence[str] = (), options: Sequence[str] = (), against: str | None = None
) -> Collection:
    """The collection called `data`.

    Args:
        findings: restrict or reorder its findings, where it has a choice.
        options: name=value; whole numbers for the phantom's count, seed and size, `marker` (a text that goes along with half
            of the Cardiomegaly films) and `marker_share` (per cent of all films that carry it instead, whatever their findings).
        against: the finding that pictures without the first have instead; all others take no part.
    """
    if against is not None:
        return Against(opened(data, root, (*findings, against), options), *findings, against)
    chosen: dict = {
        name: int(value) if re.fullmatch(r"-?\d{1,30}", value) else value for name, value in settings(options).items()
    }
    if data in NEED_NO_FOLDER or (
        data in COLLECTIONS and root is not None
    ):  # what is missing is said where it is opened
        check_options(data, chosen)
    if data != "phantom" and findings:
        chosen["findings"] = tuple(findings)
    if "marker" in chosen:
        from engine.datasets.phantom.collection import Marker

        share = chosen.pop("marker_share", None)
        if share is not None and not (isinstance(share, int) and 0 <= share <= 100):
            raise OneSentence(f"marker_share must be a whole number from 0 to 100, got {share!r}.")
        shares = {} if share is None else {"share_of_positives": share / 100, "share_of_negatives": share / 100}
        text = settings(options)["marker"]  # a text also where it is a number
        if not text.strip():
            raise OneSentence("marker must be a text to burn into the films, for example marker=CXR-ROOM1.")
        chosen["marker"] = Marker(text=text, **shares)
    try:
        collection = open_collection(data, root, **chosen)
        return (
            Chosen(collection, findings) if findings and tuple(findings) != tuple(collection.findings) else collection
        )
    except (TypeError, OverflowError) as error:
        raise OneSentence(f"{data} has no such option, or none of that value ({error}).") from error
