"""How the app and the worker log: lines for people, or JSON, each with the request and the job that it belongs to."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

FORMATS = ("text", "json")
request_id: ContextVar[str] = ContextVar("request_id", default="")
job_id: ContextVar[str] = ContextVar("job_id", default="")


class Lines(logging.Formatter):
    """`2026-01-31 12:00:00,000 blindspot.worker [nli-3] message`."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        marks = " ".join(mark for mark in (job_id.get(), request_id.get()) if mark)
        return line.replace("\0", f"[{marks}] " if marks else "", 1)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message; where there are some request_id, job_id, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        row = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            "job_id": job_id.get(),
            "traceback": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({name: value for name, value in row.items() if value != ""}, ensure_ascii=False)


def set_up_logs(format: str) -> None:
    """Logs INFO and above to stderr, as `text` or `json`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if format == "json" else Lines("%(asctime)s %(name)s \0%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
