"""Firefox, driven by WebDriver BiDi (W3C): as much of it as the tests need."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

TIMEOUT_S = 60


class Firefox:
    """One page; what it complains of is kept.

    Attributes
    ----------
    complaints : list of str
        Errors of the console and of scripts, answers that refuse, and requests outside of an address.
    """

    def __init__(self, connection: ClientConnection, address: str) -> None:
        self._connection = connection
        self._address = address
        self._sent = 0
        self.complaints: list[str] = []
        self._call("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        events = ["log.entryAdded", "network.beforeRequestSent", "network.responseCompleted"]
        self._call("session.subscribe", events=events)
        self._context = self._call("browsingContext.getTree")["contexts"][0]["context"]

    def go(self, url: str) -> None:
        """Open a page and wait until it is there."""
        self._call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Evaluate an expression; its value travels as JSON."""
        result = self._evaluate(f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))")
        return json.loads(result["value"])

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + TIMEOUT_S
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.1)

    def choose(self, selector: str, paths: list[Path]) -> None:
        """Put files into a picker."""
        element = {"sharedId": self._evaluate(f"document.querySelector('{selector}')")["sharedId"]}
        self._call("input.setFiles", context=self._context, element=element, files=[str(path) for path in paths])

    def _evaluate(self, expression: str) -> Mapping[str, Any]:
        target = {"context": self._context}
        answer = self._call("script.evaluate", expression=expression, target=target, awaitPromise=True)
        assert answer["type"] == "success", answer
        found: Mapping[str, Any] = answer["result"]
        return found

    def _call(self, method: str, **parameters: Any) -> Any:
        self._sent += 1
        self._connection.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while (message := json.loads(self._connection.recv(timeout=TIMEOUT_S))).get("id") != self._sent:
            self._hear(message)
        assert message["type"] == "success", message
        return message["result"]

    def _hear(self, event: Mapping[str, Any]) -> None:
        said = event["params"]
        if event["method"] == "log.entryAdded" and said["level"] == "error":
            self.complaints.append(said["text"])
        if event["method"].startswith("network.") and not said["request"]["url"].startswith((self._address, "data:")):
            self.complaints.append(said["request"]["url"])
        if event["method"] == "network.responseCompleted" and said["response"]["status"] >= 400:
            self.complaints.append(f"{said['response']['status']} {said['request']['url']}")


@contextmanager
def running_firefox(program: str, folder: Path, address: str) -> Iterator[Firefox]:
    """Start Firefox with a profile of its own, for pages below an address."""
    command = [program, "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", str(folder)]
    with (folder / "firefox.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            port = _port(folder / "WebDriverBiDiServer.json")
            with connect(f"ws://127.0.0.1:{port}/session", max_size=None, proxy=None) as connection:
                yield Firefox(connection, address)
        finally:
            process.kill()


def _port(written: Path) -> int:
    deadline = time.monotonic() + TIMEOUT_S
    while not written.exists() or not written.read_text():
        assert time.monotonic() < deadline, "Firefox did not say where it listens"
        time.sleep(0.1)
    return int(json.loads(written.read_text())["ws_port"])
