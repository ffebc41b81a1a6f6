"""Who the patients are, from the spellings of hospitals' tables to the few groups that papers compare."""

from __future__ import annotations

import re

RACES = ("White", "Black", "Asian")  # the three groups of the papers; every other one is "Other"
NOT_KNOWN = ("unknown", "refused", "declined", "unable to obtain", "not reported")
SPELLINGS = {  # whole words, so that "Caucasian" is not taken for "Asian"
    "White": r"\b(white|caucasian)\b",
    "Black": r"\b(black|african american)\b",
    "Asian": r"\basian\b",
}


def race_group(said: str) -> str:
    """One of `RACES`, or "Other"; "" where it is not known, or where two of them are named at once."""
    words = said.strip().lower()
    if not words or any(phrase in words for phrase in NOT_KNOWN):
        return ""
    found = [group for group in RACES if re.search(SPELLINGS[group], words)]
    return "Other" if not found else found[0] if len(found) == 1 else ""
