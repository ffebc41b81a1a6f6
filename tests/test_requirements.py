"""What the code imports, requirements.txt installs."""

import ast
import re
import sys

from tests.places import ROOT

DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "PIL": "pillow",
    "fpdf": "fpdf2",
    "google": "protobuf",
    "faiss": "faiss-cpu",
    "markdown_it": "markdown-it-py",
    "openjpeg": "pylibjpeg-openjpeg",
    "pytorch_grad_cam": "grad-cam",
    "fhir": "fhir.resources",
    "dicomanonymizer": "dicom-anonymizer",
}

TYPES_ONLY = {"_typeshed"}  # known to type checkers, imported by no program


def imported(*folders):
    """Top-level names of other people's packages imported anywhere under `folders`."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))] + sorted(ROOT.glob("*.py"))
    names = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
    ours = {path.stem for path in ROOT.iterdir()}
    return {
        DISTRIBUTIONS.get(name, name).lower().replace("_", "-")
        for name in names - set(sys.stdlib_module_names) - TYPES_ONLY - ours
    }


def required(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in lines if re.match(r"\w", line)}


def test_every_package_that_the_app_imports_is_required():
    assert imported("engine", "pages", "server", "viewer") - required("requirements.txt") == set()


def test_every_package_that_the_tests_import_is_required():
    by_hand = {"torchxrayvision"}  # the Makefile installs it without what it depends on
    assert imported("tests") - required("requirements.txt") - required("requirements-dev.txt") - by_hand == set()


def test_every_requirement_has_a_lowest_and_a_highest_version():
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            if re.match(r"\w", line):
                assert re.search(r"==[\d.]+\*?$|>=[\d.]+,<[\d.]+$", line), f"{file}: {line}"
