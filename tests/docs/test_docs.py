"""The pages: built without a warning, and their commands run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.values import View
from training.demo import running_service

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HERE = "http://127.0.0.1:8000"
NAMES = dict(zip(View, ("hv.dcm", "rpv.dcm", "rppv.dcm", "lk.dcm"), strict=True))

Block = tuple[str, str]

RUN: dict[Block, dict[str, str]] = {
    ("README.md", "curl http://127.0.0.1:8000/v1/analyses \\"): {},
    ("integrate.md", "curl http://127.0.0.1:8000/v1/analyses -F instances=@out/dicom/hepatic_veins.dcm \\"): {},
    ("integrate.md", "for file in out/dicom/*.dcm; do"): {},
    ("operate.md", "export LIVER_PDFF_DATABASE_URL=…"): {
        "=…": "=sqlite:///keys.db",
        "0123abcd": "$(liver-pdff keys list | head -1 | cut -c1-8)",
    },
    ("operate.md", "openssl genpkey -algorithm ed25519 -out bundle.pem && "): {},
    ("bundle.md", "python -m training phantom cohort/"): {  # a cohort for which seconds are enough, no download
        "--participants 135 --seed 1": "--participants 48",
        "imagenet": "pretrained",
        "python -m training features other/": "python -m training phantom other/ --participants 16 --seed 2\n"
        "python -m training features other/",
        "models/mine/": "models/own/",
    },
    ("train.md", "python -m training phantom cohort/"): {
        "--participants 135": "--participants 24",
        "imagenet": "pretrained",
        "cohort/": "people/",
        "study/": "evaluation/",
        "[--synthetic]": "--synthetic --rows 1",
    },
    ("train.md", "python -m training features training.csv"): {  # of the cohorts that the page before has left
        "training.csv": "cohort/cohort.csv",
        "held-out.csv": "other/cohort.csv",
        "--rows 10": "--rows 2",
        "NAME/VERSION": "augmented/1.0.0",
        "imagenet": "pretrained",
    },
    ("use.md", "liver-pdff analyze hv.dcm rpv.dcm rppv.dcm lk.dcm"): {" … ": " "},
    ("use.md", "pip install '.[score]'"): {
        "pip install '.[score]'": "python -c 'import pyarrow'",
        "liver-pdff score 'https://pacs": ": 'https://pacs",  # tests/pacs asks a real archive
        "liver-pdff score /archive --dask 4": ":",  # tests/api/test_score.py does
        "/archive": "archive",
    },
}
"""Page and beginning of a block, and what stands for somebody's own values."""

NOT_RUN: dict[Block, str] = {
    ("README.md", "make demo"): "it is this test's own setting up, and the demonstration takes minutes",
    ("bundle.md", "python -m training quantise"): "8 bits pass on large cohorts: tests/training/test_quantize.py",
    ("train.md", "python -m training import-ijcars"): "needs the set: tests/training/test_ijcars.py makes a small one",
    ("recover.md", "liver-pdff db backup"): "tests/storage/test_recover.py runs it on a service at work",
    ("recover.md", "rm -f var/liver-pdff.db"): "tests/storage/test_recover.py runs it, too",
    ("recover.md", "pg_dump"): "tests/storage/test_recover.py runs it on a real PostgreSQL",
    ("recover.md", "createdb"): "tests/storage/test_recover.py runs it on a real PostgreSQL",
    ("recover.md", "liver-pdff db downgrade"): "tests/storage/test_recover.py runs it on both",
    ("integrate.md", "make bundle"): "needs a container engine",
    ("integrate.md", "mkdir -p /srv/liver-pdff-bridge"): "writes outside the repository",
    ("integrate.md", '"Plugins"'): "configuration, not a command: tests/pacs runs Orthanc with it",
    ("integrate.md", "curl --user orthanc"): "needs Orthanc: tests/pacs does the same",
    ("integrate.md", "study=$(dcmdump"): "needs Orthanc: tests/pacs does the same",
}


def blocks(page: Path) -> Iterator[str]:
    """Give the blocks of a page that name no language: its commands."""
    for language, text in re.findall(r"^```([^\n]*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        if not language:
            yield text


COMMANDS = [(page.name, block) for page in PAGES for block in blocks(page)]


def begins(entry: Block, page: str, block: str) -> bool:
    return entry[0] == page and block.startswith(entry[1])


@pytest.fixture(scope="module")
def workplace(
    bundle_folder: Path, phantom_study: dict[View, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A folder with the files that the pages name, and a service; gives the shell's environment."""
    folder = tmp_path_factory.mktemp("workplace")
    for view, name in NAMES.items():
        for path in (name, f"out/dicom/{view}.dcm", f"study/{name}", f"archive/2026/{name}"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(phantom_study[view])
    shutil.copy(folder / NAMES[View.LIVER_KIDNEY], folder / "IM0004")
    shutil.copytree(bundle_folder, folder / "models" / "mine" / "1.0.0")
    with running_service(bundle_folder, f"sqlite:///{folder}/service.db", folder / "service.log") as service:
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {"PATH": programs, "PWD": str(folder), "HERE": str(service.client.base_url).rstrip("/")}
        yield os.environ | environment | {"LIVER_PDFF_BUNDLE": str(bundle_folder), "PYTHONPATH": str(ROOT)}


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    done = subprocess.run([*command, str(ROOT / "docs"), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.rglob("*.html"))) > 25


def test_links_to_files_of_the_repository_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(("page", "block"), COMMANDS, ids=lambda text: text.strip()[:40])
def test_every_command_is_run_or_it_is_said_why_not(page: str, block: str) -> None:
    known = [entry for entry in (*RUN, *NOT_RUN) if begins(entry, page, block)]
    assert len(known) == 1


@pytest.mark.parametrize("entry", RUN, ids=lambda entry: f"{entry[0]}: {entry[1][:40]}")
def test_commands_do_what_they_say(entry: Block, workplace: dict[str, str]) -> None:
    [block] = [block for page, block in COMMANDS if begins(entry, page, block)]
    for written, meant in {HERE: workplace["HERE"], "curl ": "curl --fail-with-body --silent ", **RUN[entry]}.items():
        block = block.replace(written, meant)
    command = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(command, env=workplace, cwd=workplace["PWD"], capture_output=True, text=True)
    assert done.returncode == 0, block + done.stdout + done.stderr
