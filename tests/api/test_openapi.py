"""schemathesis over the whole OpenAPI document, against a real service: open, without a key, with one that may read."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.adapters.storage.api_keys import ApiKeys
from app.adapters.storage.database import open_current
from app.core.access import AccessScope, Actor
from training.demo import running_service

ROOT = Path(__file__).parents[2]
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
"""No 5xx, and nothing that the document does not tell."""


@contextmanager
def service(bundle: Path, folder: Path, authentication: str) -> Iterator[tuple[str, str]]:
    """Run the service; give its address and a key that may read."""
    database = f"sqlite:///{folder / 'test.db'}"
    with open_current(database) as opened:
        key = ApiKeys(opened.engine).create("schemathesis", [AccessScope.READ], Actor("cli:test"))
    environment = {"LIVER_PDFF_AUTHENTICATION": authentication}
    with running_service(bundle, database, folder / "service.log", environment=environment) as running:
        yield str(running.client.base_url), key


@pytest.mark.parametrize(
    ("authentication", "has_key"), [("off", False), ("required", False), ("required", True)], ids=str
)
def test_every_answer_is_a_documented_one(
    bundle_folder: Path, tmp_path: Path, examples: int, authentication: str, has_key: bool
) -> None:
    checks = CHECKS if authentication == "off" else (*CHECKS, "ignored_auth")
    with service(bundle_folder, tmp_path, authentication) as (address, key):
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"]
        command += ["--checks", ",".join(checks), "--max-examples", str(max(examples // 20, 1))]
        command += ["--no-color"]
        command += ["--header", f"Authorization: Bearer {key}"] if has_key else []
        ran = subprocess.run(
            command,
            env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz.openapi_hooks", "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    generated = re.search(r"(\d+) generated, \1 passed", ran.stdout)
    print(ran.stdout[-600:])
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    assert generated
    assert int(generated[1]) > 300
