"""Logs: one line each, JSON for machines or text for people, and never what a request holds."""

import json
import logging
import sys
from datetime import UTC, datetime
from traceback import format_tb
from typing import Any, TextIO

LOGGER = "jina_rerank_server"


class JsonLines(logging.Formatter):
    """A line of JSON: time, level, message, and what is known of the request.

    >>> record = logging.makeLogRecord({"msg": "ready", "levelname": "INFO", "created": 0.0})
    >>> JsonLines().format(record)
    '{"time": "1970-01-01T00:00:00.000+00:00", "level": "info", "message": "ready"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": time,
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        return json.dumps(line | _more(record), ensure_ascii=True)


class TextLines(logging.Formatter):
    """A line for people: time, message; of a request what it was, what it got, how long it took."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        level = f" {record.levelname}" if record.levelno > logging.INFO else ""
        more = _more(record)
        where = more.pop("where", None)
        said = _request(more) if "route" in more else record.getMessage()
        line = f"{time}{level} {said}"
        return f"{line}\n{where}" if where is not None else line


def _request(facts: dict[str, Any]) -> str:
    """Write a request; its id only if somebody will look for it."""
    parts = [f"{facts['status']} {facts['method']} {facts['route']} {facts['seconds']:.3f} s"]
    if facts.get("tokens"):
        parts.append(f"{facts['model']}: {facts['documents']} documents, {facts['tokens']} tokens")
    if facts.get("reason"):
        parts.append(f"{facts['reason']}, request {facts['request_id']}")
    return " · ".join(parts)


def configure(stream: TextIO | None = None, *, as_json: bool | None = None) -> None:
    """Send every log line of this process to one stream.

    Args:
        stream: None is standard error.
        as_json: None is text on a terminal and JSON elsewhere.
    """
    stream = stream if stream is not None else sys.stderr
    handler = logging.StreamHandler(stream)
    json_wanted = as_json if as_json is not None else not stream.isatty()
    handler.setFormatter(JsonLines() if json_wanted else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(LOGGER).setLevel(logging.INFO)


def _more(record: logging.LogRecord) -> dict[str, Any]:
    """Collect what is known; of an exception its kind and its place, for its text may hold anything."""
    known: dict[str, Any] = dict(getattr(record, "facts", {}))
    if (request_id := getattr(record, "request_id", None)) is not None:
        known["request_id"] = request_id
    if record.exc_info is not None and record.exc_info[0] is not None:
        known["error"] = record.exc_info[0].__name__
        known["where"] = "".join(format_tb(record.exc_info[2])).rstrip()
    return known
