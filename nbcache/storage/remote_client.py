"""The client of an object store: made from a URL, if the package for it is there."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

__all__ = ["is_forked", "opened", "shown_url"]

CONNECT_S, SILENT_S = 2.0, 5.0
RETRIES, RETRYING_S = 2, 6.0

_used_by = 0
"""The process whose connections there are: they do not survive a fork."""


def shown_url(url: str) -> str:
    """Give a URL as it may be shown: without user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_forked() -> bool:
    """Say whether this process was forked from one that had connections."""
    return _used_by not in (0, os.getpid())


def opened(url: str, tell: Callable[[str], None]) -> Any:
    """Give the object store of a URL; None, after one line, if there is none."""
    global _used_by
    not_shared = f"results are not shared with {shown_url(url)}"
    try:
        store: Any = importlib.import_module("obstore.store")
    except ImportError:
        missing = "the package obstore is missing (pip install 'nbcache[remote]')"
        tell(f"{not_shared}: {missing}")
        return None
    _used_by = os.getpid()
    options: dict[str, Any] = {}
    options |= {"client_options": _client(), "retry_config": _retries()}
    if url.startswith("file:"):
        options = {"mkdir": True}
    try:
        return store.from_url(url, **options)
    except Exception as error:  # its errors share no base but this
        # not its text, which may repeat what is secret in the URL
        tell(f"{not_shared}: {type(error).__name__}")
        return None


def _client() -> dict[str, Any]:
    endpoints = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    endpoint = next(filter(None, map(os.environ.get, endpoints)), "")
    return {
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "read_timeout": timedelta(seconds=SILENT_S),
        # of the whole request, with a large body
        "timeout": timedelta(hours=3),
        # obstore refuses it unless it is asked for in so many words
        "allow_http": endpoint.startswith("http://"),
    }


def _retries() -> dict[str, Any]:
    pauses = {
        "init_backoff": timedelta(seconds=0.05),
        "max_backoff": timedelta(seconds=1),
        "base": 2,
    }
    limit = timedelta(seconds=RETRYING_S)
    return {"max_retries": RETRIES, "retry_timeout": limit, "backoff": pauses}
