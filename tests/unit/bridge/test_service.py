"""The bridge's HTTP client."""

import socket
import threading
from collections.abc import Iterator

import pytest
from liver_pdff_bridge.errors import ServiceRefused, ServiceUnavailable
from liver_pdff_bridge.service import Service

from tests.bridge import FakeLiverPdff, fake_service


@pytest.fixture
def service() -> Iterator[FakeLiverPdff]:
    with fake_service() as service:
        yield service


def client(service: FakeLiverPdff, authorization: str = "", path: str = "") -> Service:
    return Service(service.url + path, authorization, 5)


def test_retry_after_is_passed_on(service: FakeLiverPdff) -> None:
    service.status, service.headers = 503, {"Retry-After": "7"}
    with pytest.raises(ServiceUnavailable, match="503") as caught:
        client(service).fetch("/v1/x")
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(("said", "taken"), [("86400", 300), ("Wed, 21 Oct 2026 07:28:00 GMT", 0)])
def test_retry_after_is_bounded(service: FakeLiverPdff, said: str, taken: float) -> None:
    service.status, service.headers = 503, {"Retry-After": said}
    with pytest.raises(ServiceUnavailable) as caught:
        client(service).fetch("/v1/x")
    assert caught.value.retry_after_s == taken


def test_the_credentials_are_sent(service: FakeLiverPdff) -> None:
    client(service, "Bearer abc").store([b"1"], 1)
    assert service.authorization == "Bearer abc"


def test_an_address_may_have_a_path(service: FakeLiverPdff) -> None:
    client(service, path="/liver/").store([b"1"], 1)
    assert service.asked == ["POST /liver/dicom-web/studies"]


@pytest.mark.parametrize(
    ("path", "named", "asked"),
    [
        ("", "/v1/a/sr.dcm", "/v1/a/sr.dcm"),
        ("", "/liver/v1/a/sr.dcm", "/liver/v1/a/sr.dcm"),  # asked directly, a service that is behind a proxy for others
        ("/liver", "/liver/v1/a/sr.dcm", "/liver/v1/a/sr.dcm"),
        ("/liver/", "/v1/a/sr.dcm", "/liver/v1/a/sr.dcm"),  # a service that does not know of its proxy
        ("/v", "/v1/a/sr.dcm", "/v/v1/a/sr.dcm"),
    ],
)
def test_a_result_is_fetched_where_the_service_says(service: FakeLiverPdff, path: str, named: str, asked: str) -> None:
    service.body = b"an object"
    assert client(service, path=path).fetch(named) == b"an object"
    assert service.asked == [f"GET {asked}"]


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[]", b'{"00081199": {"Value": [{}]}}', b"{}"])
def test_an_answer_that_does_not_list_every_instance_is_none(service: FakeLiverPdff, body: bytes) -> None:
    service.body = body
    with pytest.raises(ServiceRefused):
        client(service).store([b"1", b"2"], 2)


def test_a_404_of_somebody_else_is_no_answer_about_the_study(service: FakeLiverPdff) -> None:
    service.status, service.body = 404, b'{"code": "page_not_found"}'
    with pytest.raises(ServiceRefused, match="404 page_not_found"):
        client(service).results("1.2.3")


def test_a_service_without_result_objects_is_told_from_a_study_without_analysis(service: FakeLiverPdff) -> None:
    service.body = b'{"analysis": {"id": "1"}, "views_missing": [], "waiting_for": null}'
    with pytest.raises(ServiceRefused, match="'dicom_urls'"):
        client(service).results("1.2.3")


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ServiceUnavailable, match="ConnectionRefusedError"):
            Service(f"http://127.0.0.1:{unused.getsockname()[1]}", "", 1).results("1.2.3")


def test_an_early_refusal_is_heard_although_the_body_was_not_read() -> None:
    """As a service that is busy does: it answers and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(10)
                connection.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 20):
                    pass

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(ServiceUnavailable) as caught:
            Service(f"http://127.0.0.1:{server.getsockname()[1]}", "", 5).store([bytes(1 << 20)] * 20, 20)
        thread.join()
    assert caught.value.retry_after_s == 9


def test_one_instance_at_a_time_is_read(service: FakeLiverPdff) -> None:
    """The next file is asked for only after the one before was written."""
    read: list[int] = []

    def files() -> Iterator[bytes]:
        for number in range(3):
            read.append(number)
            yield b"%d" % number

    generator = files()
    assert client(service).store(generator, 3).accepted == 3
    assert service.stored == [[b"0", b"1", b"2"]]
    assert read == [0, 1, 2]
