"""Ask the service beside us whether it lives: the image's HEALTHCHECK. It speaks TLS where the service does."""

import os
import ssl
import sys
from http.client import HTTPConnection, HTTPSConnection  # not urllib, which would ask a proxy named in the environment

port = int(os.environ.get("LIVER_PDFF_PORT", "8000"))
if os.environ.get("LIVER_PDFF_TLS_CERTIFICATE"):
    connection: HTTPConnection = HTTPSConnection(
        "127.0.0.1",
        port,
        timeout=2,
        context=ssl._create_unverified_context(),  # noqa: S323 - it is for the name that others use, and this stays inside
    )
else:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
connection.request("GET", "/livez")
sys.exit(connection.getresponse().status != 200)
