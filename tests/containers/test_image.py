"""The image itself: built from docker/Dockerfile with buildah, then run. About a minute and a half, so in CI only.

There is no registry in the test: mmdebstrap makes the base image, a bookworm with Python and pip.
"""

import ast
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network import own_network

ROOT = Path(__file__).parents[2]
BASE_PACKAGES = "ca-certificates,python-is-python3,python3,python3-pip,python3-venv"
# How pip reaches an index; everything else in a person's pip configuration stays theirs.
INDEX_OPTIONS = {
    "cert", "client-cert", "default-timeout", "extra-index-url", "find-links", "index-url", "no-index", "proxy",
    "timeout", "trusted-host",
}  # fmt: skip

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.skipif("CI" not in os.environ, reason="a build of over a minute: runs where CI is set"),
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="buildah's chroot isolation needs root"),
]


def call(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command; when it fails and should not, its output is the failure's text."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0 or not check, done.stdout[-4000:] + done.stderr[-4000:]
    return done


class Buildah:
    """buildah with a storage of its own, so that nothing on the machine is touched or left behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, verb: str, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        storage = ("--root", self.folder / "root", "--runroot", self.folder / "run")
        return call("buildah", *storage, verb, *arguments, check=check)

    def container(self, image: str) -> str:
        """Make a container from an image; its identifier."""
        return self("from", "--pull-never", image).stdout.strip()


class Container:
    """A container of the built image: what runs in it runs as the image's user."""

    def __init__(self, buildah: Buildah, identifier: str) -> None:
        self.buildah = buildah
        self.identifier = identifier

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.buildah("run", "--isolation", "chroot", self.identifier, "--", *command, check=check)


def pip_index_options() -> dict[str, str]:
    """What pip's own merged configuration (files, then PIP_* variables) says about indexes."""
    listing = call(sys.executable, "-m", "pip", "config", "list").stdout
    settings = [line.partition("=") for line in listing.splitlines()]
    settings.sort(key=lambda setting: setting[0].startswith(":env:"))  # the environment has the last word
    named = {key.rpartition(".")[2]: ast.literal_eval(value) for key, _, value in settings}
    return {key: value for key, value in named.items() if key in INDEX_OPTIONS}


def index_volumes(options: dict[str, str]) -> list[str]:
    """Mount the local files these options name at their own paths, to be read only."""
    paths = set()
    for word in " ".join(options.values()).split():
        # a local index keeps its files beside itself
        path = Path(word.removeprefix("file://")).parent if word.startswith("file://") else Path(word)
        if path.is_absolute() and path.exists():
            paths.add(path)
    return [f"--volume={path}:{path}:ro" for path in sorted(paths)]


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A container of the image that docker/Dockerfile describes."""
    if missing := [tool for tool in ("buildah", "mmdebstrap") if shutil.which(tool) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed")
    folder = tmp_path_factory.mktemp("image")
    buildah = Buildah(folder)
    try:
        call("mmdebstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", folder / "base.tar")
        empty = buildah.container("scratch")
        buildah("add", empty, folder / "base.tar", "/")
        buildah("commit", "--rm", empty, "base")

        options = pip_index_options()
        secret = folder / "pip.conf"
        secret.write_text("[global]\n" + "".join(
            f"{key} = {value.strip().replace(chr(10), chr(10) + '  ')}\n" for key, value in options.items()
        ))  # fmt: skip
        buildah(
            "bud", "--isolation", "chroot", "--format", "docker", "--layers=false", "--pull-never",
            "--build-arg", "BASE_IMAGE=localhost/base", "--secret", f"id=pip.conf,src={secret}",
            *index_volumes(options), "--file", ROOT / "docker/Dockerfile", "--tag", "liver-pdff", ROOT,
        )  # fmt: skip
        yield Container(buildah, buildah.container("localhost/liver-pdff"))
    finally:
        buildah("rm", "--all", check=False)  # unmounts
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on; chroot isolation shares the machine's network."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_it_does_not_run_as_root(container: Container) -> None:
    assert container.run("id", "-u").stdout.strip() == "10001"


def test_the_service_can_be_imported(container: Container) -> None:
    container.run("python", "-c", "import app.main, migrations")


@pytest.mark.parametrize("module", ["training", "torch", "sklearn", "scipy", "onnx", "pytest"])
def test_no_training_or_test_package_is_inside(container: Container, module: str) -> None:
    assert "ModuleNotFoundError" in container.run("python", "-c", f"import {module}", check=False).stderr


@pytest.mark.parametrize("tool", ["gcc", "cc", "make", "git"])
def test_no_build_tool_is_inside(container: Container, tool: str) -> None:
    assert container.run("sh", "-c", f"command -v {tool}", check=False).returncode != 0


def test_nothing_of_the_builders_pip_configuration_is_inside(container: Container) -> None:
    # buildah leaves an empty file where a secret was mounted
    container.run("sh", "-c", "test ! -s /etc/pip.conf")


def test_only_its_data_directory_is_writable(container: Container) -> None:
    container.run("touch", "/var/lib/liver-pdff/file")
    for path in ("/srv/liver-pdff/app/file", "/opt/venv/file", "/bundle"):
        assert container.run("touch", path, check=False).returncode != 0


@pytest.fixture(scope="module")
def health_check(container: Container) -> list[str]:
    """The command that the image names."""
    image = json.loads(container.buildah("inspect", "--type", "image", "localhost/liver-pdff").stdout)
    kind, *command = image["Docker"]["config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    return [str(word) for word in command]


SERVE_UNTIL_HEALTHY = """
    liver-pdff db upgrade >&2 && { liver-pdff serve >&2 & }
    for _ in $(seq 60); do "$@" >/dev/null 2>&1 && { eval "$THEN"; kill $!; exit 0; }; sleep 0.5; done; exit 1
"""
SCAN = """python -c '
import socket
for port in range(1, 65536):
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0 and probe.getsockname() != probe.getpeername():
            print(port)
'"""


def test_it_serves_and_its_health_check_passes(container: Container, health_check: list[str], free_port: int) -> None:
    container.run(
        "env", f"LIVER_PDFF_PORT={free_port}", "THEN=true", "sh", "-c", SERVE_UNTIL_HEALTHY, "sh", *health_check
    )


def test_one_port_is_open(container: Container, health_check: list[str]) -> None:
    """All 65,535 are tried, in a network where nothing else listens; a probe may meet itself, which does not count."""
    exposed = ("LIVER_PDFF_HOST=0.0.0.0", "LIVER_PDFF_OPEN_TO_THE_NETWORK=true")
    with own_network():
        scanned = container.run("env", *exposed, f"THEN={SCAN}", "sh", "-c", SERVE_UNTIL_HEALTHY, "sh", *health_check)
    assert scanned.stdout.split() == ["8000"]
