"""The service under TLS, in a process of its own: a client that trusts the certificate, the image's health check."""

import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from training.demo import free_port

ROOT = Path(__file__).parents[2]


def self_signed(folder: Path) -> dict[str, str]:
    """Write a certificate for 127.0.0.1 and its key; give the settings that name them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "liver-pdff test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {"LIVER_PDFF_TLS_CERTIFICATE": str(folder / "cert.pem"), "LIVER_PDFF_TLS_KEY": str(folder / "key.pem")}


@pytest.fixture
def environment(bundle_folder: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of a service that runs under TLS."""
    settings = os.environ | self_signed(tmp_path)
    settings |= {"LIVER_PDFF_BUNDLE": str(bundle_folder), "LIVER_PDFF_DATABASE_URL": f"sqlite:///{tmp_path}/test.db"}
    settings |= {"LIVER_PDFF_PORT": str(free_port()), "LIVER_PDFF_AUTHENTICATION": "required"}
    with subprocess.Popen([sys.executable, "-m", "app.cli", "serve"], env=settings, cwd=ROOT) as process:
        yield settings
        process.terminate()


def wait_until_ready(client: httpx2.Client) -> None:
    for _ in range(300):
        try:
            if client.get("/readyz").is_success:
                return
        except httpx2.ConnectError:
            time.sleep(0.1)
    pytest.fail("the service did not become ready within half a minute")


def test_a_client_that_trusts_the_certificate_is_answered(environment: dict[str, str]) -> None:
    address = f"https://127.0.0.1:{environment['LIVER_PDFF_PORT']}"
    trust = ssl.create_default_context(cafile=environment["LIVER_PDFF_TLS_CERTIFICATE"])
    with httpx2.Client(base_url=address, verify=trust) as client:
        wait_until_ready(client)
        answer = client.get("/v1/analyses")
        assert answer.status_code == 401
        assert answer.headers["strict-transport-security"]
    with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx2.get(f"{address}/livez")
    health_check = subprocess.run([sys.executable, "docker/healthcheck.py"], env=environment, cwd=ROOT, check=False)
    assert health_check.returncode == 0
