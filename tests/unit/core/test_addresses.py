import pytest

from app.core.addresses import (
    PublicAddress,
    TrustedProxies,
    check_root_path,
    last_element,
    read_authority,
    read_public_address,
)

PROXIES = TrustedProxies.parse("127.0.0.1, 10.0.0.0/8,::1")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["192.0.2.7:5123"], "192.0.2.7"),
        ("127.0.0.1", ["2001:DB8::7"], "2001:db8::7"),
        ("127.0.0.1", ["[2001:db8::7]"], "2001:db8::7"),
        ("127.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("127.0.0.1", ["::ffff:192.0.2.7"], "192.0.2.7"),
        ("::1", [" 192.0.2.7 "], "192.0.2.7"),
        ("::ffff:10.1.2.3", ["192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["1.1.1.1", "192.0.2.7"], "192.0.2.7"),  # what the client says of itself
        ("127.0.0.1", ["192.0.2.7", "10.0.0.2"], "192.0.2.7"),  # two proxies
        ("127.0.0.1", ["10.0.0.3", "10.0.0.2"], "10.0.0.3"),  # a proxy asks
        ("192.0.2.1", ["192.0.2.7"], "192.0.2.1"),  # anybody can say that
        ("testclient", ["192.0.2.7"], "testclient"),
        ("", ["192.0.2.7"], ""),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["Zebedee"], "127.0.0.1"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7", "Zebedee"], "127.0.0.1"),
        ("127.0.0.1", ["Zebedee", "10.0.0.2"], "10.0.0.2"),
        ("127.0.0.1", ["fe80::1%Zebedee"], "127.0.0.1"),
        ("127.0.0.1", ["[fe80::1%Zebedee]:1"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7:Zebedee"], "127.0.0.1"),
        ("127.0.0.1", ["[2001:db8::7]Zebedee"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.256"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7\n"], "192.0.2.7"),
        ("127.0.0.1", ["１.1.1.1"], "127.0.0.1"),  # noqa: RUF001 - a digit that is not ASCII
    ],
)
def test_a_client_is_an_address_that_a_trusted_proxy_names(peer: str, forwarded_for: list[str], client: str) -> None:
    assert PROXIES.find_client(peer, forwarded_for) == client


@pytest.mark.parametrize("proxies", ["proxy.example", "*", "10.0.0.1/8", "10.0.0.256", "127.0.0.1;10.0.0.1"])
def test_a_proxy_that_could_never_be_recognised_is_refused(proxies: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        TrustedProxies.parse(proxies)


def test_nobody_may_be_trusted() -> None:
    assert "127.0.0.1" not in TrustedProxies.parse("")


@pytest.mark.parametrize(
    ("text", "scheme", "authority"),
    [
        ("pacs.example.org", "https", "pacs.example.org"),
        ("PACS_1:8443", "https", "pacs_1:8443"),
        ("pacs:443", "https", "pacs"),
        ("pacs:80", "http", "pacs"),
        ("pacs:443", "http", "pacs:443"),
        ("127.0.0.1:8000", "http", "127.0.0.1:8000"),
        ("[::1]:8000", "http", "[::1]:8000"),
        ("[::1]", "http", "[::1]"),
    ],
)
def test_a_host_is_read(text: str, scheme: str, authority: str) -> None:
    assert read_authority(text, scheme) == authority


@pytest.mark.parametrize(
    "text",
    ["", "a b", "a<b>", "a/b", "a@b", "a:b", "a:", "a:65536", "a:123456", "::1", "[::1", "[x]", "a?b", "a#b", "a\\b",
     'a"', "a%20b", "é", "a,b", "a\n", "٣", ".", "-", "[1.2.3.4.5]", "x" * 254],
)  # fmt: skip
def test_what_is_no_host_is_not_read(text: str) -> None:
    assert read_authority(text, "http") is None


@pytest.mark.parametrize("path", ["", "/liver", "/apps/liver-pdff", "/~a/b.c_d", "/.well-known/x", "/...", "/v1.0/x"])
def test_a_root_path_is_taken(path: str) -> None:
    assert check_root_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["/", "liver", "/liver/", "//liver", "/a//b", "/liver?x", "/liver#x", "/li ver", "/li%20ver", "/..", "/a/../b",
     "/.", "/a/.", "https://pacs/liver", "/li<ver>", "/li'ver", "/liver\n", "/lébér", "\\liver"],
)  # fmt: skip
def test_what_is_no_root_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="LIVER_PDFF_ROOT_PATH is empty or a path"):
        check_root_path(path)


@pytest.mark.parametrize(
    ("url", "root_path", "expected"),
    [
        ("", "/liver", PublicAddress("/liver")),
        ("https://pacs.example.org/liver", "", PublicAddress("/liver", "https", "pacs.example.org")),
        ("https://pacs.example.org/liver", "/liver", PublicAddress("/liver", "https", "pacs.example.org")),
        ("https://PACS.example.org:443/liver/", "", PublicAddress("/liver", "https", "pacs.example.org")),
        ("http://[::1]:8080", "", PublicAddress("", "http", "[::1]:8080")),
    ],
)
def test_the_public_address_has_the_root_path(url: str, root_path: str, expected: PublicAddress) -> None:
    assert read_public_address(url, root_path) == expected


@pytest.mark.parametrize(
    ("url", "root_path", "says"),
    [
        ("https://pacs/liver", "/other", "LIVER_PDFF_ROOT_PATH is /other"),
        ("https://pacs", "/liver", "LIVER_PDFF_PUBLIC_URL has the path /,"),
        ("https://pacs//liver", "", "LIVER_PDFF_ROOT_PATH"),
        *((url, "", "LIVER_PDFF_PUBLIC_URL is an address")
          for url in ("pacs", "/liver", "ftp://pacs", "https://", "https://u:p@pacs", "https://pacs/?x", "https://pacs#x",
                      "https://pa cs", "https://pacs:port", "javascript:alert(1)", "https://pacs/liver?")),
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_refused(url: str, root_path: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_public_address(url, root_path)


@pytest.mark.parametrize(
    ("lines", "last"), [([], ""), (["https"], "https"), (["http, https"], "https"), (["evil", "pacs"], "pacs")]
)
def test_the_nearest_proxy_has_the_last_word(lines: list[str], last: str) -> None:
    assert last_element(lines) == last
