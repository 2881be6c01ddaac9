"""Laws of the repository itself: they hold for every file in it, today's and tomorrow's."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MIB = 1 << 20

REGISTRY = r"\b(?:pypi|pythonhosted|npmjs|anaconda|deb\.debian|proxy\.golang)\.(?:org|com)\b"
# Not inside a longer path or a URL, where the same letters may be anything.
MACHINE_FOLDER = r"(?<![\w.~}/-])/(?:root|work|opt/wheels|opt/pypi|home/\w+|Users/\w+)(?![\w-])"
SIBLING_FOLDER = r"\.\./shared\b"


def repository_files() -> list[Path]:
    """What is committed, or would be by ``git add .``."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    paths = [ROOT / name for name in listing.split("\0") if name]
    return [path for path in paths if path.is_file()]


def lines_with(pattern: str, *, besides: str = "") -> list[str]:
    """Where a pattern stands in the repository's text; this file, which has the patterns, is not asked."""
    found = []
    for path in repository_files():
        content = path.read_bytes()
        if b"\0" not in content and path not in (Path(__file__), ROOT / besides):
            lines = enumerate(content.decode().splitlines(), 1)
            found += [f"{path.relative_to(ROOT)}:{n}: {line}" for n, line in lines if re.search(pattern, line)]
    return found


def test_no_file_names_a_package_registry() -> None:
    assert lines_with(REGISTRY) == []


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    assert lines_with(MACHINE_FOLDER) == []


def test_only_ci_knows_a_folder_beside_the_repository() -> None:
    assert lines_with(SIBLING_FOLDER, besides=".ci/run") == []


def test_no_file_is_larger_than_a_mebibyte_but_the_backbone() -> None:
    large = {str(path.relative_to(ROOT)): path.stat().st_size for path in repository_files()}
    large = {name: size for name, size in large.items() if size >= MIB}

    # The demonstration must be trained without a download or torch: docs/decisions/0006.
    assert large.pop("training/data/backbone_int8.npz", 0) <= 25_000_000
    assert large == {}


@pytest.mark.parametrize("path", sorted((ROOT / "docker/constraints").glob("*.txt")), ids=lambda path: path.stem)
def test_constraints_are_versions_and_hashes_and_nothing_else(path: Path) -> None:
    pin = r"[a-z0-9][a-z0-9._-]*==[\w.]+(?: ; [^\\]+)? \\"
    more, last = r"    --hash=sha256:[0-9a-f]{64} \\", r"    --hash=sha256:[0-9a-f]{64}"
    text = "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("#"))

    assert re.fullmatch(rf"(?:{pin}\n(?:{more}\n)*{last}\n)+", text)


@pytest.mark.parametrize("name", ["service", "training"])
def test_every_constraints_file_is_cut_from_the_largest(name: str) -> None:
    pins = {file: set(re.findall(r"^\S+==\S+", (ROOT / f"docker/constraints/{file}.txt").read_text(), re.MULTILINE))
            for file in (name, "dev")}  # fmt: skip

    assert pins[name]
    assert pins[name] <= pins["dev"]


def test_imports_point_inward() -> None:
    # A process of its own: import-linter's configuration of logging switches every other logger off.
    command = str(Path(sysconfig.get_path("scripts"), "lint-imports"))
    done = subprocess.run([command, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["app.adapters.bundle.onnx_networks", "training.weights"])
def test_onnxruntime_reports_to_nobody(module: str, tmp_path: Path) -> None:
    """Its reporting begins with a file beside the temporary ones."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", f"import {module}"]
    subprocess.run(command, cwd=ROOT, env=environment | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
