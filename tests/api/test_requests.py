"""Requests that are nearly right, on raw sockets: a short run of `tests.fuzz.requests`, and that it can find faults."""

import asyncio
import json
from pathlib import Path

import httptools
import pytest

from tests.fuzz.hostile_requests import CANARY, KEY_MARK, Material, Owed, Sent, make_batch
from tests.fuzz.requests import Answer, Judge, NotHttp, faults_in, fuzz, make_material, read_answer

PATHS = {
    "/v1/analyses": {"post": {}, "get": {"parameters": [{"name": "limit", "in": "query"}]}},
    "/v1/analyses/{analysis_id}": {"get": {"parameters": [{"name": "analysis_id", "in": "path"}]}},
}
SEED = 5


@pytest.fixture(scope="module")
def material() -> Material:
    return make_material(PATHS)


@pytest.mark.parametrize("keys", ["off", "required"])
def test_nothing_that_is_sent_does_harm(bundle_folder: Path, tmp_path: Path, keys: str, examples: int) -> None:
    tally, facts = fuzz(
        bundle_folder, "off" if keys == "off" else "required", 5 * examples, SEED, tmp_path, patience_s=30
    )
    print(facts, tally.statuses)
    assert not tally.faults
    assert tally.sent >= 5 * examples
    assert tally.studies >= 1
    assert {"200", "400", "404", "415", "422"} <= set(tally.statuses)


class TestMaking:
    def test_the_same_numbers_make_the_same_bytes(self, material: Material) -> None:
        assert make_batch(SEED, 3, material, with_keys=True) == make_batch(SEED, 3, material, with_keys=True)
        assert make_batch(SEED, 3, material, with_keys=True) != make_batch(SEED, 4, material, with_keys=True)

    def test_all_but_the_last_request_of_a_batch_are_whole(self, material: Material) -> None:
        """Otherwise what is behind them would not be owed an answer."""
        for number in range(300):
            for sent in make_batch(SEED, number, material, with_keys=False):
                assert sent.is_last or (self.count(sent.data), sent.owed) == (1, Owed.ANSWER), sent.data[:300]

    @staticmethod
    def count(data: bytes) -> int:
        """Let uvicorn's parser count the requests."""

        class Counting:
            whole = 0

            def on_url(self, url: bytes) -> None:
                httptools.parse_url(url)

            def on_message_complete(self) -> None:
                self.whole += 1

        counting = Counting()
        httptools.HttpRequestParser(counting).feed_data(data)
        return counting.whole

    def test_half_of_the_batches_have_no_key(self, material: Material) -> None:
        having = [any(s.has_key for s in make_batch(SEED, n, material, with_keys=True)) for n in range(200)]
        assert 60 < sum(having) < 140


GET = Sent(b"GET /v1/bundle HTTP/1.1\r\n\r\n", b"GET", Owed.ANSWER)
LIVEZ = Sent(b"GET /livez HTTP/1.1\r\n\r\n", b"GET", Owed.ANSWER)
STUDY = Sent(b"POST /v1/analyses HTTP/1.1\r\n\r\n" + KEY_MARK, b"POST", Owed.ANSWER, template=0)
JUDGE = Judge("required", frozenset({b"open"}), [{}])


def problem(status: int, media_type: str = "application/problem+json", **headers: str) -> Answer:
    item = {"code": "not_dicom", "detail": "x"}
    body = json.dumps({"status": status, **item, "errors": [item]}).encode()
    return Answer(status, {"content-type": media_type, **headers}, body)


def said(sent: Sent, answer: Answer, *, is_keyless: bool = True) -> list[str]:
    return list(JUDGE.complaints(sent, answer, is_keyless=is_keyless))


class TestJudging:
    @pytest.mark.parametrize(
        ("sent", "answer"),
        [
            (GET, problem(401)),
            (GET, problem(503, **{"retry-after": "5"})),
            (LIVEZ, Answer(200, {}, b"anything")),
            (GET, Answer(200, {}, b"open")),
            (LIVEZ, Answer(200, {"content-type": "text/html"}, b"zq&#34;&#39;&gt;&lt;zq&gt;")),
            (STUDY, problem(503, **{"retry-after": "5"})),
        ],
    )
    def test_what_may_be(self, sent: Sent, answer: Answer) -> None:
        assert not said(sent, answer)

    @pytest.mark.parametrize(
        ("sent", "answer", "complaint"),
        [
            (GET, problem(500), "500"),
            (GET, problem(503), "503"),
            (GET, problem(404, "application/json"), "404 is no problem"),
            (GET, Answer(200, {}, b"closed"), "200 without a key"),
            (Sent(b"POST /livez HTTP/1.1", b"POST", Owed.ANSWER), Answer(200, {}, b""), "200 without a key"),
            (LIVEZ, Answer(200, {"content-type": "text/html; charset=utf-8"}, b"<p>" + CANARY), "unescaped"),
            (STUDY, problem(422), "answered 422"),
        ],
    )
    def test_what_may_not(self, sent: Sent, answer: Answer, complaint: str) -> None:
        assert any(complaint in each for each in said(sent, answer))

    def test_other_numbers(self) -> None:
        names = ("pdff_percent", "probability_ge5", "probability_ge10")
        body = json.dumps({"estimate": dict.fromkeys(names, 1.0), "views": []}).encode()
        assert "other numbers" in said(STUDY, Answer(201, {}, body), is_keyless=False)[0]

    @pytest.mark.parametrize(
        "line", ["RuntimeError: unable to perform operation on <TCPTransport closed=True 0x1>", "uvloop.SomeError: 7"]
    )
    def test_a_log_with_a_traceback(self, line: str) -> None:
        assert len(faults_in(f"x\nTraceback (most recent call last):\n  File\n{line}\n" * 2)) == 1
        assert faults_in("WARNING all is well: Error: none\n") == []


async def taken(data: bytes, method: bytes = b"GET") -> list[Answer]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    while answer := await read_answer(reader, method):
        found.append(answer)
    return found


class TestReading:
    def test_answers_one_after_another(self) -> None:
        data = (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
            b"HTTP/1.1 204 No Content\r\n\r\n"
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
        )
        found = [(each.status, each.body) for each in asyncio.run(taken(data))]
        assert found == [(200, b"ab"), (204, b""), (200, b"c")]

    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
            b"<html>\r\n\r\n",
        ],
    )
    def test_what_is_no_answer(self, data: bytes) -> None:
        with pytest.raises(NotHttp):
            asyncio.run(taken(data))

    def test_head_has_no_body(self) -> None:
        found = asyncio.run(taken(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HEAD"))
        assert [each.headers for each in found] == [{"content-length": "5"}]
