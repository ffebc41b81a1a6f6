"""Single slices of CT and MR stand for volumes of one slice, and nothing else about the collection changes."""

import numpy as np
import pytest

from engine.commands.shared import as_read
from engine.datasets import open_collection
from engine.datasets.single_slices import SingleSlices
from engine.errors import UsageError
from engine.registry import method
from tests.datasets.test_brain_mri import write_folder
from tests.datasets.test_covid_ct_md import write_sample


def test_every_picture_is_a_volume_of_one_slice(tmp_path):
    write_sample(tmp_path)
    pictures = open_collection("covid_ct_md", tmp_path)
    volumes = SingleSlices(pictures)
    assert volumes.dimensions == 3 and volumes.single_slices and volumes.grey_range == pictures.grey_range
    assert np.array_equal(volumes.image(5, 32), pictures.image(5, 32)[None])
    assert np.array_equal(volumes.organ(5, 32), pictures.organ(5, 32)[None])
    assert volumes.position(5) == pictures.position(5)
    assert (
        volumes.body(5) is None
        and volumes.mask(5, "Pneumonia", 32) is None
        and volumes.regions(5, "Pneumonia", 8) == []
    )
    assert np.array_equal(volumes.split("test"), pictures.split("test"))
    head = SingleSlices(open_collection("brain_mri", write_folder(tmp_path / "heads", each=2)))
    assert head.body(0, 32).shape == (1, 32, 32)


def test_a_method_of_volumes_reads_slices_and_no_films(tmp_path):
    slices = open_collection("brain_mri", write_folder(tmp_path, each=2))
    assert as_read(method("acat"), slices).dimensions == 3
    assert as_read(method("cx_gan"), slices) is slices
    with pytest.raises(UsageError, match="ACAT learns from volumes; phantom holds single pictures"):
        as_read(method("acat"), open_collection("phantom", count=4))
    with pytest.raises(ValueError, match="no single slices"):
        SingleSlices(open_collection("phantom", count=4))
