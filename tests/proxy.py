"""nginx with the recipe of docs/operate.md, in front of a running service."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.api.test_tls import self_signed
from training.demo import free_port

PAGE = Path(__file__).parents[1] / "docs" / "operate.md"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def recipe() -> str:
    """The block as it stands on the page."""
    [block] = re.findall(r"^```nginx\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


def without_path(text: str) -> str:
    """Let the proxy take the path away, as the page says."""
    text, forms = re.subn(r"(location /liver/ \{\n\s+proxy_pass http://liver_pdff)", r"\1/", text)
    text, studies = re.subn(r"(location /liver/dicom-web/ \{\n\s+proxy_pass http://liver_pdff)", r"\1/dicom-web/", text)
    assert forms == studies == 1
    return text


@contextmanager
def running_nginx(folder: Path, service_port: int, text: str) -> Iterator[str]:
    """Run nginx on the loopback; give the address under which it offers the service, https://127.0.0.1:PORT/liver."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    certificate, port = self_signed(folder), free_port()
    for written, meant in {
        "127.0.0.1:8000;": f"127.0.0.1:{service_port};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/nginx/pacs.example.org.pem": certificate["LIVER_PDFF_TLS_CERTIFICATE"],
        "/etc/nginx/pacs.example.org.key": certificate["LIVER_PDFF_TLS_KEY"],
    }.items():
        assert written in text
        text = text.replace(written, meant)
    temporary = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    user = "user root;" if os.geteuid() == 0 else ""  # its workers write below a folder of root's
    (folder / "nginx.conf").write_text(
        f"daemon off; {user} pid {folder}/nginx.pid; error_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log {folder}/access.log;\n{temporary}\n{text}\n}}\n"
    )
    command = [program, "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"]
    with subprocess.Popen(command) as process:
        try:
            wait_for(port, process, folder / "error.log")
            yield f"https://127.0.0.1:{port}/liver"
        finally:
            process.terminate()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"nginx did not start:\n{log.read_text()}")
