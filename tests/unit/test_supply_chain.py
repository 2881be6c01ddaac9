"""What the service is made of: pinned by hash, listed as CycloneDX, under licences that a hospital's lawyers know."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from license_expression import get_spdx_licensing

ROOT = Path(__file__).parents[2]
PINS = ROOT / "docker/constraints"
ALLOWED = {
    *(
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "PSF-2.0",
        "Zlib",
    ),
    "LGPL-3.0-only",  # psycopg: imported as it comes, and replaceable
}
CLASSIFIERS = {
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
}
NOT_SAID = {"protobuf": "BSD-3-Clause"}
"""Packages whose metadata names their licence in words of its own; read by a person."""
ELSEWHERE = {"colorama"}
"""Pinned for another operating system."""


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The packages of this environment as `make sbom` lists them: name -> version and licence expression."""
    path = tmp_path_factory.mktemp("sbom") / "sbom.json"
    command: list[str | Path] = [
        Path(sys.executable).with_name("cyclonedx-py"),
        "environment",
        "--output-file",
        path,
        sys.executable,
    ]
    subprocess.run(command, check=True, capture_output=True)
    listed = json.loads(path.read_text())["components"]
    return {
        normal(each["name"]): {"version": each["version"], "licence": expression(each.get("licenses", []))}
        for each in listed
    }


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def expression(licences: list[dict[str, dict[str, str] | str]]) -> str:
    """Join what CycloneDX says of one component's licences to one SPDX expression."""
    said = []
    for each in licences:
        licence = each.get("license", {})
        assert isinstance(licence, dict)
        said.append(
            str(each.get("expression") or licence.get("id") or CLASSIFIERS.get(licence["name"], licence["name"]))
        )
    return " OR ".join(said)


def is_allowed(licence: str) -> bool:
    """Tell whether one of the choices that an SPDX expression gives is allowed as a whole."""
    licensing = get_spdx_licensing()
    parsed = licensing.parse(licence, validate=True)
    choices = parsed.args if isinstance(parsed, licensing.OR) else [parsed]
    return any(set(map(str, licensing.license_keys(choice))) <= ALLOWED for choice in choices)


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9_.-]+)==(\S+)", (PINS / name).read_text(), re.MULTILINE))


def everything_in_the_image() -> dict[str, str]:
    return pins("service.txt") | pins("screen.txt")


def test_every_pin_has_hashes() -> None:
    for path in PINS.glob("*.txt"):
        requirements = re.split(r"(?m)^(?=[a-z0-9])", path.read_text())[1:]
        assert requirements
        assert all("--hash=sha256:" in each for each in requirements), path


def test_the_image_installs_by_hash_and_from_wheels_only() -> None:
    dockerfile = (ROOT / "docker/Dockerfile").read_text()
    assert "--require-hashes --requirement /tmp/service.txt" in dockerfile
    assert "--require-hashes --no-deps --requirement /tmp/screen.txt" in dockerfile
    assert dockerfile.count("--only-binary :all:") == 2


def test_all_files_agree_on_every_version() -> None:
    everything = pins("dev.txt")
    for name in ("service.txt", "training.txt"):
        assert pins(name).items() <= everything.items()


def test_what_the_service_needs_is_listed_as_pinned(components: dict[str, dict[str, str]]) -> None:
    needed = {name: version for name, version in everything_in_the_image().items() if name not in ELSEWHERE}
    assert {name: components[name]["version"] for name in needed} == needed


def test_every_licence_is_allowed(components: dict[str, dict[str, str]]) -> None:
    licences = {
        name: components[name]["licence"] or NOT_SAID[name] for name in everything_in_the_image().keys() - ELSEWHERE
    }
    assert {name: licence for name, licence in licences.items() if not is_allowed(licence)} == {}


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [("MIT", True), ("GPL-3.0-only", False), ("MIT OR GPL-3.0-only", True), ("MIT AND GPL-3.0-only", False)],
)
def test_a_licence_that_is_not_allowed_is_found(licence: str, allowed: bool) -> None:
    assert is_allowed(licence) == allowed
