"""What `dciodvfy` of dicom3tools says of a DICOM object, and which of its warnings are accepted."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

PROGRAM = "dciodvfy"
MISSING = f"{PROGRAM} is not there; on Debian and Ubuntu, install dicom3tools."
ACCEPTED = {  # a pattern of the warning: why it stays
    r"Unrecognized defined term <99OTHERWISE>": "a coding scheme of our own, which a scheme that begins with 99 says",
    r"Unrecognized defined term <QUANTITY>": "value 4 of ImageType of parametric maps is an open list (PS3.3 C.8.32.2)",
    r"Value dubious for this VR - .* Retired Person Name form": "a name as the source study writes it",
    r"is only permitted to be empty when actually unknown.*<Laterality>": "the source does not say the side",
    r"needed to build DICOMDIR": "the source study does not have it, or it was taken out by de-identification",
}


class NoValidator(RuntimeError):
    """The validator is not installed."""


@dataclass(frozen=True)
class Verdict:
    """What was said, a line each; accepted warnings apart."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    accepted: tuple[str, ...]


def validate(data: bytes) -> Verdict:
    """What the validator says of a DICOM file.

    Raises:
        NoValidator: there is none.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise NoValidator(MISSING)
    with tempfile.TemporaryFile() as file:  # which it moves about in
        file.write(data)
        file.seek(0)
        said = subprocess.run([program], stdin=file, capture_output=True, timeout=120)
    lines = (said.stderr + said.stdout).decode(errors="replace").splitlines()
    errors = tuple(line for line in lines if line.startswith(("Error", "Abort")))
    warned = [line for line in lines if line.startswith("Warning")]
    accepted = tuple(line for line in warned if any(re.search(pattern, line) for pattern in ACCEPTED))
    return Verdict(errors, tuple(line for line in warned if line not in accepted), accepted)
