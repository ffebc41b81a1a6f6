"""Hospitals' spellings of race, as they stand in CheXpert's and MIMIC-IV's tables."""

import pytest

from engine.datasets.demographics import race_group

SAID = {
    "White": (
        "White, non-Hispanic",
        "WHITE - OTHER EUROPEAN",
        "WHITE",
        "White or Caucasian",
        "Caucasian",
        "White, Hispanic",
    ),
    "Black": ("BLACK/AFRICAN AMERICAN", "BLACK/CAPE VERDEAN", "Black or African American", "Black, non-Hispanic"),
    "Asian": ("ASIAN", "ASIAN - SOUTH EAST ASIAN", "Asian, non-Hispanic", "Asian - Historical Conv"),
    "Other": (
        "PORTUGUESE",
        "HISPANIC/LATINO - GUATEMALAN",
        "Pacific Islander, non-Hispanic",
        "American Indian or Alaska Native",
        "OTHER",
    ),
    "": (
        "",
        " ",
        "UNKNOWN",
        "Race and Ethnicity Unknown",
        "UNABLE TO OBTAIN",
        "PATIENT DECLINED TO ANSWER",
        "Patient Refused",
        "White and Asian",
    ),
}


@pytest.mark.parametrize(("group", "said"), [(group, said) for group, spellings in SAID.items() for said in spellings])
def test_every_spelling_falls_into_its_group(group, said):
    assert race_group(said) == group
