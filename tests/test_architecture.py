"""The floors of the house: a wing imports only from floors below its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "napari_scalescope"

#: From the ground up. What stands in one line may import from the lines above it, and, within a
#: folder, from its own.
FLOORS = [
    {"errors", "remembering"},
    {"geometry", "settings", "worker", "sample"},
    {"regions", "encoders"},
    {"slides", "aggregators"},
    {"embeddings"},
    {"analysis", "exchange", "pretraining"},
    {"reports"},
    {"session"},
    {"widgets"},
    {"cli"},
    {"__main__"},
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}


def wing(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, int, bool]]:
    """Modules a file imports, absolute, with the line and whether at the top level."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    top = {id(node) for node in tree.body}
    package = ["napari_scalescope", *path.relative_to(PACKAGE).with_suffix("").parts[:-1]]
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [(a.name, node.lineno, id(node) in top) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
            names = [module] if node.module else [f"{module}.{a.name}" for a in node.names]
            found += [(name, node.lineno, id(node) in top) for name in names]
    return found


FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]
IDS = [str(p.relative_to(PACKAGE)) for p in FILES]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_go_down(path: Path) -> None:
    own = wing(path)
    for module, line, _ in imports(path):
        if not module.startswith("napari_scalescope."):
            continue
        other = module.split(".")[1]
        assert other == own or FLOOR[other] < FLOOR[own], f"line {line}: {own} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_widgets_know_qt_and_napari(path: Path) -> None:
    for module, line, _ in imports(path):
        root = module.split(".")[0]
        if root in ("qtpy", "napari", "superqt", "vispy", "PyQt6", "PySide6"):
            # doctor asks which binding is installed, and does nothing with it
            allowed = wing(path) == "widgets" or path.name == "doctor.py"
            assert allowed, f"line {line} imports {module}"


#: Modules that need torch to be read, since a class of theirs is one of torch's. They are imported
#: inside functions, as torch is.
TORCH_MODULES = ("encoders.heads", "encoders.stem", "encoders.text_networks")


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_torch_is_imported_inside_functions_of_few_files(path: Path) -> None:
    is_torch = ".".join(path.relative_to(PACKAGE).with_suffix("").parts) in TORCH_MODULES
    for module, line, at_top in imports(path):
        if module.split(".")[0] in ("torch", "timm", "torchvision", "triton"):
            assert is_torch or not at_top, f"line {line} imports {module} at the top"
            assert wing(path) in ("encoders", "pretraining"), f"line {line} imports {module}"
        elif module.removeprefix("napari_scalescope.") in TORCH_MODULES:
            assert not at_top, f"line {line} imports {module} at the top"


def test_every_wing_has_a_floor() -> None:
    assert {wing(p) for p in FILES} == set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_files_have_one_job(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 450


def test_importing_the_package_brings_in_neither_torch_nor_qt_nor_napari() -> None:
    code = (
        "import sys, napari_scalescope as ss, napari_scalescope.cli;"
        "ss.open_slide; ss.TileGrid; ss.Session;"
        "heavy = {'torch', 'timm', 'qtpy', 'napari', 'umap', 'sklearn'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_the_public_face_is_there() -> None:
    import napari_scalescope as ss

    for name in ss.__all__:
        assert getattr(ss, name) is not None
    with pytest.raises(AttributeError):
        _ = ss.nothing_of_the_kind


def test_the_manifest_agrees_with_the_settings() -> None:
    import yaml

    from napari_scalescope.settings import Settings
    from napari_scalescope.widgets.preferences import FIELDS

    manifest = yaml.safe_load((PACKAGE / "napari.yaml").read_text())
    pages = manifest["contributions"]["configurations"]
    declared = {(page, key) for page, v in pages.items() for key in v["properties"]}
    assert declared == set(FIELDS)
    assert set(FIELDS.values()) == set(Settings.model_fields)
    for (page, key), field in FIELDS.items():
        default = pages[page]["properties"][key]["default"]
        expected = "" if field.endswith("_folder") else getattr(Settings(), field)
        assert default == expected
    link = PACKAGE.parents[1] / "napari.yaml"
    assert link.read_text() == (PACKAGE / "napari.yaml").read_text()
