"""Saliency maps of many scans, in batches, kept on disk as they are made: a stopped training goes on with them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from engine.files import write_whole
from engine.methods.acat.counterfactual import Search, latent_counterfactuals, saliency
from engine.networks.autoencoder import Autoencoder

TOGETHER = 16  # scans in one batch and in one file


def identity(search: Search, *networks: nn.Module) -> str:
    """What the maps of these networks under this search are called: other weights, other maps."""
    digest = hashlib.sha256(json.dumps(asdict(search)).encode())
    for network in networks:
        for name, value in network.state_dict().items():
            digest.update(name.encode() + value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]


def saliency_of(
    classify: Callable[[Tensor], Tensor], autoencoder: Autoencoder, volume: Tensor, search: Search
) -> tuple[Tensor, Tensor]:
    """Class-agnostic saliency (B, S, H, W) of volumes, and whether each target was reached, (2, B) of bool."""
    found = latent_counterfactuals(classify, autoencoder, volume, search)
    return saliency(volume, found.pictures), found.reached


def keep_saliency(
    films: Callable[[np.ndarray], Tensor],
    parts: Sequence[np.ndarray],
    classify: Callable[[Tensor], Tensor],
    autoencoder: Autoencoder,
    search: Search,
    folder: Path,
    device: torch.device | str = "cpu",
    share: slice = slice(None),
) -> None:
    """Maps of all scans of `parts`, a file for each part; what is there already is not made again.

    Args:
        films: indices -> volumes (B, S, H, W).
        classify: as for `latent_counterfactuals`, on `device` as `autoencoder` is.
        share: of the parts, those that this process makes.
    """
    for number, part in tqdm([*enumerate(parts)][share], desc="saliency", unit=f"x {TOGETHER} scans", mininterval=5.0):
        file = folder / f"{number:05d}.npz"
        if file.is_file():
            continue
        maps, reached = saliency_of(classify, autoencoder, films(part).to(device), search)
        data = io.BytesIO()
        np.savez_compressed(
            data,
            indices=np.asarray(part),
            maps=(maps * 255).round().to(torch.uint8).cpu().numpy(),
            reached=reached.cpu().numpy(),
        )
        write_whole(file, data.getvalue())


def saliency_in(
    folder: Path,
    indices: np.ndarray,
    films: Callable[[np.ndarray], Tensor],
    classify: Callable[[Tensor], Tensor],
    autoencoder: Autoencoder,
    search: Search,
    device: torch.device | str = "cpu",
) -> tuple[Mapping[int, np.ndarray], float]:
    """Maps of the scans `indices`, kept in `folder`, see `keep_saliency` and `read_saliency`."""
    parts = together(indices)
    keep_saliency(films, parts, classify, autoencoder, search, folder, device)
    return read_saliency(folder, len(parts))


def together(indices: np.ndarray) -> list[np.ndarray]:
    """Scans in the parts of which each has a file."""
    return [indices[start : start + TOGETHER] for start in range(0, len(indices), TOGETHER)]


def read_saliency(folder: Path, files: int) -> tuple[Mapping[int, np.ndarray], float]:
    """What `keep_saliency` left in `folder`: maps (S, H, W) uint8 of 0 to 255 by a scan's index, and the share of
    targets that were reached.
    """
    maps, reached = {}, []
    for number in range(files):
        with np.load(folder / f"{number:05d}.npz", allow_pickle=False) as stored:
            maps |= dict(zip(stored["indices"].tolist(), stored["maps"], strict=True))
            reached.append(stored["reached"])
    return maps, float(np.concatenate(reached, 1).mean())
