"""Signed bundles: the key's own are taken, altered, unsigned and foreign ones are not."""

import shutil
import subprocess
from pathlib import Path

import pytest

from app.adapters.bundle.store import load_bundle, sign_bundle
from app.core.errors import ChecksumMismatch, SignatureMismatch
from tests.api.test_cli import run
from tests.conftest import ServiceFactory


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs of keys, as the documentation says to make them."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("own", "foreign"):
        private = folder / f"{name}.pem"
        subprocess.run([openssl, "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
        subprocess.run([openssl, "pkey", "-in", private, "-pubout", "-out", folder / f"{name}.pub"], check=True)
    return folder


def test_a_bundle_signed_with_the_trusted_key_is_taken(bundle_copy: Path, keys: Path) -> None:
    sign_bundle(bundle_copy, keys / "own.pem")
    assert load_bundle(bundle_copy, 1, trusted_key=keys / "own.pub").sha256


def test_openssl_checks_and_makes_the_same_signature(bundle_copy: Path, keys: Path) -> None:
    sign_bundle(bundle_copy, keys / "own.pem")
    manifest, signature = bundle_copy / "manifest.json", bundle_copy / "manifest.sig"
    check: list[str | Path] = ["-verify", "-pubin", "-inkey", keys / "own.pub", "-sigfile", signature]
    subprocess.run(["openssl", "pkeyutl", "-rawin", "-in", manifest, *check], check=True, capture_output=True)
    ours = signature.read_bytes()
    make: list[str | Path] = ["-sign", "-inkey", keys / "own.pem", "-out", signature]
    subprocess.run(["openssl", "pkeyutl", "-rawin", "-in", manifest, *make], check=True)
    assert signature.read_bytes() == ours


def test_an_unsigned_bundle_is_refused_where_signatures_are_required(bundle_copy: Path, keys: Path) -> None:
    with pytest.raises(SignatureMismatch, match="bundle sign"):
        load_bundle(bundle_copy, 1, trusted_key=keys / "own.pub")


def test_a_bundle_of_another_key_is_refused(bundle_copy: Path, keys: Path) -> None:
    sign_bundle(bundle_copy, keys / "foreign.pem")
    with pytest.raises(SignatureMismatch, match="trusted key"):
        load_bundle(bundle_copy, 1, trusted_key=keys / "own.pub")


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig", "heads.json", "network.onnx"])
def test_an_altered_bundle_is_refused(bundle_copy: Path, keys: Path, name: str) -> None:
    sign_bundle(bundle_copy, keys / "own.pem")
    content = bytearray((bundle_copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle_copy / name).write_bytes(content)
    with pytest.raises((SignatureMismatch, ChecksumMismatch)):
        load_bundle(bundle_copy, 1, trusted_key=keys / "own.pub")


def test_whoever_makes_all_hashes_fit_still_lacks_the_key(bundle_copy: Path, keys: Path) -> None:
    """Hashes alone do not stop somebody who writes the manifest anew."""
    sign_bundle(bundle_copy, keys / "own.pem")
    manifest = (bundle_copy / "manifest.json").read_text().replace('"demo"', '"mine"')
    (bundle_copy / "manifest.json").write_text(manifest)
    digest = subprocess.run(
        ["sha256sum", "manifest.json"], cwd=bundle_copy, capture_output=True, text=True, check=True
    ).stdout
    (bundle_copy / "manifest.sha256").write_text(digest)
    assert load_bundle(bundle_copy, 1).identity.name == "mine"
    with pytest.raises(SignatureMismatch):
        load_bundle(bundle_copy, 1, trusted_key=keys / "own.pub")


@pytest.mark.parametrize("key", ["own.pem", "no.pub"])
def test_a_key_that_is_none_is_named(bundle_copy: Path, keys: Path, key: str) -> None:
    sign_bundle(bundle_copy, keys / "own.pem")
    with pytest.raises(SignatureMismatch, match="LIVER_PDFF_BUNDLE_KEY"):
        load_bundle(bundle_copy, 1, trusted_key=keys / key)


def test_the_service_is_not_ready_with_an_unsigned_bundle(serve: ServiceFactory, keys: Path) -> None:
    with serve(bundle_key=keys / "own.pub") as client:
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "signature_mismatch")


def test_the_command_line_signs_and_verifies(
    bundle_copy: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVER_PDFF_BUNDLE_KEY", str(keys / "own.pub"))
    assert run(monkeypatch, "bundle", "verify", str(bundle_copy)) == 1
    assert capsys.readouterr().err.startswith("signature_mismatch: ")
    assert run(monkeypatch, "bundle", "sign", str(bundle_copy), "--key", str(keys / "foreign.pub")) == 1
    assert run(monkeypatch, "bundle", "sign", str(bundle_copy), "--key", str(keys / "own.pem")) == 0
    assert run(monkeypatch, "bundle", "verify", str(bundle_copy)) == 0
