"""What stands in a log line, and which request it belongs to: python-json-logger's only door."""

import logging
from contextvars import ContextVar
from typing import Final, Literal

LogFormat = Literal["text", "json"]

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="-")
"""Of the request that is being answered; what a request starts in threads of the pool has none."""
REQUEST_ID_HEADER: Final = "X-Request-ID"
_TEXT: Final = "%(asctime)s %(levelname)s %(request_id)s %(name)s %(message)s"
_OURS: Final = ("app", "training", "uvicorn")
"""Loggers that follow the chosen level. Other libraries log from WARNING: at INFO, highdicom names UIDs."""
_JSON_FIELDS: Final = {"asctime": "time", "levelname": "level", "name": "logger"}


def configure(level: str, log_format: LogFormat) -> None:
    """Send every logger's lines to stderr.

    Parameters
    ----------
    level : str
        Lowest that is logged.
    log_format : {"text", "json"}
        A line to read, or an object a line for a collector.
    """
    handler = logging.StreamHandler()
    handler.addFilter(_add_request_id)
    handler.setFormatter(_json_formatter() if log_format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = REQUEST_ID.get()
    return True


def _json_formatter() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s",
        rename_fields=_JSON_FIELDS,
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )
