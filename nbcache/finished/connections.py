"""Connections, archives and compressed files that are closed."""

from __future__ import annotations

import contextlib
import io
import threading
from typing import Any

from nbcache.finished.kinds import Kind, Left

__all__ = ["KINDS"]


def _take_database(connection: Any) -> Left | None:
    try:
        _ = connection.total_changes
    except Exception as error:
        # the same error tells of another thread
        if "closed" in str(error):
            parts = (connection.row_factory, connection.text_factory)
            return parts, parts
    return None


def _make_database(home: Any, row_factory: Any, text_factory: Any) -> Any:
    made = home.connect(":memory:")
    made.row_factory, made.text_factory = row_factory, text_factory
    made.close()
    return made


def _take_zip(archive: Any) -> Left | None:
    if archive.fp is not None or archive._fileRefCnt:
        return None
    state = {name: held for name, held in vars(archive).items() if name != "_lock"}
    return (state,), (state,)


def _make_zip(home: Any, state: dict[str, Any]) -> Any:
    made = object.__new__(home.ZipFile)
    vars(made).update(state, _lock=threading.RLock())
    return made


def _take_compressed(file: Any) -> Left | None:
    if not file.closed:
        return None
    parts = (_letters(file), getattr(file, "name", ""))
    return parts, parts


def _letters(file: Any) -> str:
    # 1 stands for reading in all three, also where it has a name by now
    mode = getattr(file, "mode", None) or getattr(file, "_mode", 0)
    if isinstance(mode, str):
        return mode
    was = getattr(file, "_buffer", None)
    return "rb" if mode == 1 or isinstance(was, io.BufferedReader) else "wb"


def _open(home: Any, cls: str, letters: str, name: str) -> Any:
    if cls == "GzipFile":
        return home.GzipFile(name, letters, fileobj=io.BytesIO())
    return getattr(home, cls)(io.BytesIO(), letters)


def _compressed_maker(cls: str) -> Any:
    def make(home: Any, letters: str, name: str) -> Any:
        made = _open(home, cls, letters, name)
        made.close()
        return made

    return make


def _take_text(file: Any) -> Left | None:
    inner = file.buffer
    name = type(inner).__name__
    if not file.closed or name not in _COMPRESSED:
        return None
    module = _COMPRESSED[name]
    if type(inner).__module__ != module:
        return None
    path = getattr(inner, "name", "")
    parts = (module, name, _letters(inner), path, file.encoding, file.errors)
    return parts, parts


def _make_text(
    home: Any, module: str, cls: str, letters: str, path: str, *how: str
) -> Any:
    from importlib import import_module

    made = home.TextIOWrapper(_open(import_module(module), cls, letters, path), *how)
    made.close()
    return made


def _take_socket(socket: Any) -> Left | None:
    parts = (int(socket.family), int(socket.type), socket.proto)
    return (parts, parts) if socket.fileno() == -1 and socket._closed else None


def _make_socket(home: Any, *kind: int) -> Any:
    made = home.socket(*kind)
    made.close()
    return made


def _take_response(response: Any) -> Left | None:
    if response.fp is not None:
        return None
    state = dict(vars(response))
    return (state, response.closed), (state, response.closed)


def _make_response(home: Any, state: dict[str, Any], closed: bool) -> Any:
    made = home.HTTPResponse.__new__(home.HTTPResponse)
    vars(made).update(state)
    if closed:
        with contextlib.suppress(ValueError):
            made.close()
    return made


_COMPRESSED = {"GzipFile": "gzip", "BZ2File": "bz2", "LZMAFile": "lzma"}
KINDS = {
    "Connection": Kind("sqlite3", "Connection", _take_database, _make_database),
    "ZipFile": Kind("zipfile", "ZipFile", _take_zip, _make_zip),
    **{
        name: Kind(module, name, _take_compressed, _compressed_maker(name))
        for name, module in _COMPRESSED.items()
    },
    "TextIOWrapper": Kind("io", "TextIOWrapper", _take_text, _make_text),
    "socket": Kind("socket", "socket", _take_socket, _make_socket),
    "HTTPResponse": Kind("http.client", "HTTPResponse", _take_response, _make_response),
}
