"""Where a request comes from, and where people reach the service; what proxies say of it counts if they are trusted."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

_AUTHORITY: Final = re.compile(
    r"(?P<host>[a-z0-9_][a-z0-9._-]{0,252}|\[(?P<ipv6>[0-9a-f:.]{2,45})\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE
)
_ROOT_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")
_HOP: Final = re.compile(r"\[(?P<ipv6>[^]]+)\](?::[0-9]{1,5})?|(?P<ipv4>[0-9.]+)(?::[0-9]{1,5})?|(?P<bare>[^][]+)")
_DEFAULT_PORT: Final = {"http": "80", "https": "443"}

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """Where people reach the service.

    Attributes
    ----------
    root_path : str
        Under which path: empty or ``/liver``.
    scheme, authority : str
        ``https`` and ``pacs.example.org``; both empty: as each request says.
    """

    root_path: str = ""
    scheme: str = ""
    authority: str = ""


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Proxies whose word counts.

    Attributes
    ----------
    networks : tuple of IPv4Network or IPv6Network
    """

    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def parse(cls, text: str) -> "TrustedProxies":
        """Read addresses and networks, separated by commas.

        Raises
        ------
        ValueError
            If one is neither: a misspelt one would be ignored silently.
        """
        return cls(tuple(ip_network(name) for each in text.split(",") if (name := each.strip())))

    def __contains__(self, host: str) -> bool:
        """Tell whether a peer is one of them."""
        address = read_address(host)
        return address is not None and any(address in network for network in self.networks)

    def find_client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Follow X-Forwarded-For from its end, as long as the next address comes from a trusted proxy.

        Parameters
        ----------
        peer : str
            Other end of the connection.
        forwarded_for : sequence of str
            The header's elements, in order.

        Returns
        -------
        str
            Where the request comes from: an IP address, or `peer` as it is.
        """
        client = peer
        for element in reversed(forwarded_for):
            if client not in self or (address := _read_hop(element)) is None:
                break
            client = str(address)
        return client


def read_address(text: str) -> Address | None:
    """Read an IP address; an IPv4 address that is written as IPv6 is the IPv4 address. None if it is not one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _read_hop(element: str) -> Address | None:
    """Read one element of X-Forwarded-For: an address, perhaps with a port. A zone could be any text."""
    found = _HOP.fullmatch(element.strip())
    if found is None or "%" in element:
        return None
    return read_address(found["ipv6"] or found["ipv4"] or found["bare"])


def read_authority(text: str, scheme: str) -> str | None:
    """Read ``host`` or ``host:port`` (RFC 3986, 3.2).

    Returns
    -------
    str or None
        In lower case, without the scheme's own port; None if it is something else.
    """
    found = _AUTHORITY.fullmatch(text)
    if found is None or int(found["port"] or 0) > 65535 or (found["ipv6"] and read_address(found["ipv6"]) is None):
        return None
    port = found["port"]
    return (found["host"] if port in (None, _DEFAULT_PORT[scheme]) else text).lower()


def check_root_path(path: str) -> str:
    """Give a path back, or raise ValueError unless it is empty or like ``/liver``."""
    if not _ROOT_PATH.fullmatch(path):
        raise ValueError(
            "LIVER_PDFF_ROOT_PATH is empty or a path such as /liver: it begins with /, does not end with /, and has "
            "only letters, digits and - . _ ~ between them."
        )
    return path


def read_public_address(url: str, root_path: str) -> PublicAddress:
    """Read where people reach the service.

    Parameters
    ----------
    url : str
        ``https://pacs.example.org/liver``; empty: each request says which host it was sent to.
    root_path : str
        Empty, or the path of the URL.

    Raises
    ------
    ValueError
        If the URL is not http(s) with a host and at most a path, or the two disagree.
    """
    if not url:
        return PublicAddress(check_root_path(root_path))
    scheme, authority, path = _split(url)
    if root_path and root_path != path:
        raise ValueError(
            f"LIVER_PDFF_PUBLIC_URL has the path {path or '/'}, LIVER_PDFF_ROOT_PATH is {root_path}: make them the "
            "same, or leave LIVER_PDFF_ROOT_PATH empty."
        )
    return PublicAddress(path, scheme, authority)


def _split(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url.rstrip("/"))
    authority = read_authority(parts.netloc, parts.scheme) if parts.scheme in _DEFAULT_PORT else None
    if authority is None or url.rstrip("/") != f"{parts.scheme}://{parts.netloc}{parts.path}":
        raise ValueError("LIVER_PDFF_PUBLIC_URL is an address such as https://pacs.example.org/liver")
    return parts.scheme, authority, check_root_path(parts.path)


def last_element(lines: Iterable[str]) -> str:
    """Give the last element of a header that is a list: the one that the nearest proxy has written."""
    return ",".join(lines).rpartition(",")[2].strip()
