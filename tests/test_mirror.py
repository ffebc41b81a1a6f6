"""The tests mirror the tree: a module has a test file of its name, or the table here says which one covers it."""

import ast
import re

import grimp
import pytest

from tests.places import ROOT

FOLDERS = ("engine", "pages", "server", "viewer")

# Test file -> the modules that it covers and that have none of their own.
ELSEWHERE = {
    "attribution/test_maps.py": "attribution: cam cxplain intensity",
    "attribution/test_rivals.py": "attribution: grad_cam grad_cam_plus_plus guided_backpropagation "
    "integrated_gradients last_features latent_gradient latent_shift lime score_cam segments shap",
    "bias/report/test_compute.py": "bias.report: family notes records verdicts wording",
    "bias/statistics/test_summary.py": "bias.statistics: dependence",
    "browser/test_drawing.py": "viewer: demo_drawing marks",
    "browser/test_compare.py": "pages: compare",
    "browser/test_exporting.py": "pages.components: background exporting",
    "browser/test_explain.py": "pages.components: drop_anywhere scan_page",
    "browser/test_scan_list.py": "pages.components: scan_list",
    "browser/test_viewer.py": "viewer: demo demo_volume",
    "classifiers/test_beside_alignment.py": "classifiers: bagnet counterfactual_augmentation finished input_gradients "
    "interpretable_cnn multi_task oracle; reproduce: alignment",
    "classifiers/test_beside_attention.py": "classifiers: hsm salclassnet self_attention smic spatial_attention "
    "steered vit",
    "checkpoints/test_metrics.py": "checkpoints: changes old_rows",
    "checkpoints/test_bad_checkpoints.py": "checkpoints: resolve",
    "checkpoints/test_card.py": "checkpoints: sections",
    "checkpoints/test_hub.py": "checkpoints: limits; commands: push",
    "commands/test_bench.py": "engine: timing; methods.acat: bench; methods.attri_net: bench; "
    "methods.causal_alignment: bench; methods.cit_lr: bench; methods.cx_gan: bench",
    "commands/test_commands.py": "engine: errors __main__; commands: doctor evaluate outputs shared train",
    "contract/test_contract.py": "engine: registry; checkpoints: detector; methods.attri_net: __init__ explain; "
    "methods.acat: __init__ explain; methods.causal_alignment: __init__; methods.cit_lr: __init__; "
    "methods.cx_gan: __init__ explain; methods.onnx: __init__ explain; methods.supervised: explain; "
    "methods.va_gan: explain",
    "datasets/phantom/test_collection.py": "datasets.phantom: acquisition anatomy build findings",
    "datasets/test_busi.py": "datasets: classified pictures",
    "datasets/test_guidance.py": "datasets: boxes",
    "datasets/test_identity.py": "datasets: selected_findings",
    "datasets/test_implants.py": "datasets: implant_lesions lung_fields",
    "datasets/test_lidc_implants.py": "datasets: nodule_crops region_crops",
    "datasets/test_registry.py": "datasets: collection",
    "datasets/test_stroke_phantom.py": "datasets: head_ct",
    "export/test_bias_pdf.py": "export: bias_json paper",
    "export/test_forms.py": "export: annotations deidentification encapsulated_pdf everything fhir parametric_map "
    "pictures presentation_state result secondary_capture segmentation session_pdf structured_report study validation",
    "inference/test_inference.py": "inference: messages process tasks",
    "methods/acat/test_network.py": "networks: autoencoder",
    "methods/acat/test_produce.py": "methods.acat: calls maps train",
    "methods/attri_net/test_train.py": "methods.attri_net: produce; networks: precision weights",
    "methods/causal_alignment/test_implicit.py": "methods.causal_alignment: distances losses",
    "methods/causal_alignment/test_train.py": "methods.causal_alignment: evaluate explain pictures presets produce "
    "region_recipe",
    "methods/cit_lr/test_generator.py": "methods.cit_lr: blocks evaluate network produce sampling train training_data",
    "methods/map_translation/test_produce.py": "training: job; methods.map_translation: evaluate; methods.cx_gan: "
    "evaluate produce; methods.va_gan: evaluate produce",
    "methods/map_translation/test_train.py": "training: presets",
    "methods/onnx/test_adopt.py": "commands: adopt; methods.onnx: network tiny",
    "methods/onnx/test_commands.py": "methods.onnx: evaluate",
    "methods/supervised/test_supervised.py": "methods.supervised: evaluate produce train",
    "methods/va_gan/test_va_gan.py": "methods.va_gan: train",
    "metrics/test_class_sensitivity.py": "metrics: evidence",
    "metrics/test_overlap.py": "metrics: stacks",
    "pages/components/test_checkpoint_choice.py": "pages.components: detectors",
    "pages/components/test_reading.py": "scan: bundles volume_source",
    "pages/components/test_words.py": "engine: answers",
    "pages/components/test_volumes.py": "pages.components: explaining",
    "pages/test_bias.py": "bias.report: request; pages.components: bias_cards",
    "pages/test_worklist.py": "pages.components: assigning disagreeing explaining_ahead exporting_several",
    "pages/test_review.py": "pages.components: agreement_picture first_reading review_panel review_view sketching",
    "reproduce/test_reproduce.py": "commands: reproduce; reproduce: attention records tables",
    "review/test_database.py": "review.migrations: env; review.migrations.versions: assignments first_tables; review: "
    "tables; commands: review",
    "review/test_store.py": "review: cases log",
    "scan/test_coded.py": "scan: codestreams dicom_coded dicom_frames",
    "scan/test_grey.py": "scan: dicom dicom_grey dicom_picture tables",
    "scan/test_hostile.py": "scan: bounds decoder one_file",
    "scan/test_pictures.py": "scan: tiff",
    "scan/test_scan.py": "scan: dicom_header dicom_spacing record",
    "scan/test_series.py": "scan: dicom_place",
    "scan/test_source.py": "scan: source_header",
    "scan/test_upright.py": "scan: orientation",
    "scan/test_volume_files.py": "scan: itk metaimage nrrd volume_scan volume_worker volumes",
    "server/test_hosts.py": "server: answers doors headers settings",
    "server/test_leaving.py": "server: sessions",
    "test_app.py": "pages: explain learned; pages.components: ahead open_scans",
    "test_doors.py": "commands: caution",
    "test_viewer.py": "viewer: blob header",
    "training/test_detector.py": "commands: detector",
    "worker/test_worker.py": "worker: extension messages server",
}


def dotted(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def modules():
    """Every module that defines something, as (dotted name, path)."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            defines = any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) for node in tree.body)
            if defines or path.name not in ("__init__.py",):
                yield dotted(path), path


def own_tests(path):
    """Where the test file of a module's own name would lie: the tree of `tests` leaves the folder `engine` out."""
    where = path.relative_to(ROOT)
    where = where.relative_to("engine") if where.parts[0] == "engine" else where
    if where.name == "__init__.py":
        where = where.parent
        return [
            ROOT / "tests" / where / f"test_{where.name}.py",
            ROOT / "tests" / where.parent / f"test_{where.name}.py",
        ]
    return [ROOT / "tests" / where.parent / f"test_{where.stem}.py"]


def elsewhere():
    """Module -> the test file that the table names for it."""
    named = {}
    for test, parts in ELSEWHERE.items():
        for part in parts.split("; "):
            package, names = part.split(": ")
            root = package if package.split(".")[0] in FOLDERS else f"engine.{package}"
            for name in names.split():
                assert f"{root}.{name}" not in named, f"{root}.{name} is named twice"
                named[f"{root}.{name}"] = ROOT / "tests" / test
    return named


def test_every_module_has_its_tests_or_is_covered_elsewhere():
    without = {name for name, path in modules() if not any(test.is_file() for test in own_tests(path))}
    named = set(elsewhere())
    assert without - named == set(), "write these a test file, or name in ELSEWHERE the one that covers them"
    assert named - without == set(), "these have a test file of their own, or are gone: take them out of ELSEWHERE"


@pytest.fixture(scope="module")
def graph():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.syspath_prepend(str(ROOT))
        return grimp.build_graph(*FOLDERS, "tests", cache_dir=None)


def test_what_covers_a_module_reaches_it(graph):
    """By imports, by the module's name where it is asked for by that, or because the test serves the app or
    a script.
    """
    named_by = {name.removesuffix(".__init__"): path.read_text(encoding="utf-8") for name, path in modules()}
    missed = []
    for name, test in elsewhere().items():
        text, name = test.read_text(encoding="utf-8"), name.removesuffix(".__init__")
        by_name = re.search(rf"\b{re.escape(name.rsplit('.', 1)[-1])}\b", text)
        serves = "app.py" in text or "serve(" in text or "browser" in test.parts
        registered = ".methods." in name and "registry" in text
        starts = [one for one, code in named_by.items() if re.search(rf'["\' ]{re.escape(name)}["\' ]', code)]
        reached = {name, *starts} & set(graph.modules)  # a process of its own is started by its module's name
        if not (by_name or serves or registered or any(graph.chain_exists(dotted(test), one) for one in reached)):
            missed.append(f"{test.relative_to(ROOT)}: {name}")
    assert not missed, "\n".join(missed) + "\nthe test file that ELSEWHERE names does not reach the module"
