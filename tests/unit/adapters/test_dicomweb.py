"""Archives as they are: some page, some do not, some break off. tests/pacs asks a real one."""

import json
from collections.abc import Callable

import httpx2
import pytest

from app.adapters.archive.dicomweb import Archive, ArchivedStudy, find_studies
from tests.stow import CONTENT_TYPE, related

Handler = Callable[[httpx2.Request], httpx2.Response]
URL = "http://archive/dicom-web/studies"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], list[httpx2.Request]]:
    """Let a function answer instead of an archive; gives the requests that come."""

    def install(handler: Handler) -> list[httpx2.Request]:
        seen: list[httpx2.Request] = []

        def handle(request: httpx2.Request) -> httpx2.Response:
            seen.append(request)
            return handler(request)

        monkeypatch.setattr(Archive, "client", lambda self: httpx2.Client(transport=httpx2.MockTransport(handle)))
        return seen

    return install


def listed(*uids: str, tag: str = "0020000D") -> httpx2.Response:
    return httpx2.Response(200, content=json.dumps([{tag: {"vr": "UI", "Value": [uid]}} for uid in uids]))


def found(query: str = "?ModalitiesInStudy=US") -> list[str]:
    return [study.study_instance_uid for study in find_studies(URL + query, "", 1 << 20)]


class TestQuery:
    def test_pages_are_followed_to_the_end(self, answer: Callable[[Handler], list[httpx2.Request]]) -> None:
        uids = [f"1.2.{number}" for number in range(450)]

        def page(request: httpx2.Request) -> httpx2.Response:
            start = int(request.url.params["offset"])
            return listed(*uids[start : start + int(request.url.params["limit"])])

        seen = answer(page)
        assert found() == uids
        assert [request.url.params["offset"] for request in seen] == ["0", "200", "400", "450"]
        assert all(request.url.params["ModalitiesInStudy"] == "US" for request in seen)

    @pytest.mark.parametrize("headers", [{}, {"Warning": '299 archive: "There are additional results"'}])
    def test_an_archive_that_sends_fewer_than_asked_for_is_asked_on(
        self, answer: Callable[[Handler], list[httpx2.Request]], headers: dict[str, str]
    ) -> None:
        uids = [f"1.2.{number}" for number in range(130)]

        def capped(request: httpx2.Request) -> httpx2.Response:
            start = int(request.url.params["offset"])
            page = listed(*uids[start : start + 50])
            page.headers.update(headers)
            return page

        answer(capped)
        assert found() == uids

    def test_an_archive_that_does_not_page_is_asked_twice_at_most(
        self, answer: Callable[[Handler], list[httpx2.Request]]
    ) -> None:
        uids = [f"1.2.{number}" for number in range(200)]
        seen = answer(lambda request: listed(*uids))
        assert found() == uids
        assert len(seen) == 2

    def test_a_limit_of_the_users_own_is_kept(self, answer: Callable[[Handler], list[httpx2.Request]]) -> None:
        seen = answer(lambda request: listed("1.2"))
        assert found("?limit=7") == ["1.2"]
        assert [dict(request.url.params) for request in seen] == [{"limit": "7"}]

    def test_nothing_found_is_nothing(self, answer: Callable[[Handler], list[httpx2.Request]]) -> None:
        answer(lambda request: httpx2.Response(204))
        assert found() == []

    @pytest.mark.parametrize(
        ("said", "sentence"),
        [
            (httpx2.Response(401), "answers 401"),
            (httpx2.Response(200, content=b"<html>"), "does not answer as DICOMweb does"),
            (httpx2.Response(200, content=b"[{}]"), r"without \(0020,000D\)"),
            (listed("../../v1/keys"), r"\(0020,000D\) is not a UID"),
            (listed("1.2?x=y"), r"\(0020,000D\) is not a UID"),
        ],
    )
    def test_what_is_no_answer_is_one_sentence(
        self, answer: Callable[[Handler], list[httpx2.Request]], said: httpx2.Response, sentence: str
    ) -> None:
        answer(lambda request: said)
        with pytest.raises(ConnectionError, match=sentence):
            found()


class TestObjects:
    def contents(self) -> list[bytes]:
        return list(ArchivedStudy(Archive(URL, "", 10), "1.2.3").contents())

    def test_only_ultrasound_series_are_fetched_and_large_objects_are_cut(
        self, answer: Callable[[Handler], list[httpx2.Request]]
    ) -> None:
        def archive(request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith("/series"):
                return listed("1.2.3.4", tag="0020000E") if request.url.params["Modality"] == "US" else listed()
            body = related([b"one", b"x" * 100])
            return httpx2.Response(200, content=body, headers={"Content-Type": CONTENT_TYPE})

        seen = answer(archive)
        assert self.contents() == [b"one", b"x" * 11]
        assert seen[1].url.path == "/dicom-web/studies/1.2.3/series/1.2.3.4"
        assert "transfer-syntax=*" in seen[1].headers["accept"]

    @pytest.mark.parametrize("body", [related([b"one"])[:-20], b"nothing"])
    def test_a_body_that_breaks_off_is_no_study(
        self, answer: Callable[[Handler], list[httpx2.Request]], body: bytes
    ) -> None:
        def archive(request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith("/series"):
                return listed("1.2.3.4", tag="0020000E")
            return httpx2.Response(200, content=body, headers={"Content-Type": CONTENT_TYPE})

        answer(archive)
        with pytest.raises(ConnectionError):
            self.contents()
