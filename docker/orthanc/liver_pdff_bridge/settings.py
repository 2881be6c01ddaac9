"""The section ``LiverPdff`` of Orthanc's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may choose; the names in orthanc.json stand in `KEYS`.

    Attributes
    ----------
    url : str
        Where the service is, without ``/dicom-web``.
    authorization : str
        Value of the Authorization header; empty: no header. Never logged.
    poll_s, timeout_s : float
        Between two looks at what is new; for one answer of the service.
    max_instance_mib : int
        Larger objects are not sent: the service refuses them, and one object is in memory at a time.
    metadata : int
        Number of the study's metadata that holds the mark; Orthanc leaves 1024 to 65535 to its users.
    global_property : int
        Number of the database's property that holds how far the changes were worked off.
    """

    url: str
    authorization: str = ""
    poll_s: float = 5.0
    timeout_s: float = 120.0
    max_instance_mib: int = 32
    metadata: int = 1024
    global_property: int = 7333


KEYS = {
    "Url": "url",
    "Authorization": "authorization",
    "PollSeconds": "poll_s",
    "TimeoutSeconds": "timeout_s",
    "MaxInstanceMiB": "max_instance_mib",
    "Metadata": "metadata",
    "GlobalProperty": "global_property",
}


def read_settings(section: object) -> Settings:
    """Check the section.

    Raises
    ------
    ValueError
        If a key is unknown or the address is no http(s) URL: a misspelt setting would be ignored silently.
    """
    if not isinstance(section, Mapping):
        raise ValueError("orthanc.json needs a section LiverPdff with the service's Url")  # noqa: TRY004 - a setting
    if unknown := section.keys() - KEYS.keys():
        raise ValueError(f"LiverPdff has unknown keys {sorted(unknown)}; known are {sorted(KEYS)}")
    settings = Settings(**{"url": "", **{KEYS[key]: value for key, value in section.items()}})
    address = urlsplit(settings.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("LiverPdff.Url must be an address such as http://127.0.0.1:8000")
    return settings
