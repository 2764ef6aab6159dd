"""What is never written down, and who may read the rest."""

import base64
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
from dataclasses import dataclass

import pytest

import nbcache

CANARY = "canary-5f2e91"
# as text, in hexadecimal and in base64 at each offset
FORMS = [CANARY.encode(), CANARY.encode().hex().encode()]
FORMS += [
    base64.b64encode(b"-" * shift + CANARY.encode())[4:-4].strip(b"=")
    for shift in range(3)
]
SECRET = re.compile(b"|".join(map(re.escape, FORMS)))


def leaks(folder):
    """Give the files below a folder that hold the secret."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [path.name] if SECRET.search(data) else []
    for name in ("index.sqlite", "history.sqlite"):
        if (folder / name).exists():
            with sqlite3.connect(folder / name) as database:
                found += [name for line in database.iterdump() if CANARY in line]
            database.close()
    return found


@dataclass
class Login:
    """Where a secret may hide."""

    user: str
    password: str


def connect(host, token):
    """Need a secret."""
    return len(host) + len(token)


def fetch(config):
    """Need a secret that is deep inside."""
    return len(str(config))


def count(text):
    """Take what nobody could know to be a secret."""
    return len(text)


SECRETS = {
    "argument": lambda cache: cache.cached(connect)("host", CANARY),
    "keyword": lambda cache: cache.cached(connect)(host="h", token=CANARY),
    "item": lambda cache: cache.cached(fetch)({"password": CANARY, "port": 1}),
    "deep item": lambda cache: cache.cached(fetch)([{"a": {"api_key": CANARY}}]),
    "attribute": lambda cache: cache.cached(fetch)(Login("me", CANARY)),
    "many items": lambda cache: cache.cached(fetch)(
        {**{f"n{i}": i for i in range(50)}, "auth": CANARY}
    ),
    "file name": lambda cache: cache.cached(connect, key="readable")("h", CANARY),
    "private": lambda cache: cache.cached(count, private=True)(CANARY),
    "private, readable": lambda cache: cache.cached(
        count, private=True, key="readable"
    )(CANARY),
}


@pytest.mark.parametrize("where", SECRETS)
def test_a_secret_is_nowhere_in_the_store(tmp_path, where):
    """Not in entries, traces, index, history, locks, nor among temporaries."""
    cache = nbcache.Cache(tmp_path / "store")
    assert SECRETS[where](cache)
    assert nbcache.last().stored
    assert CANARY not in json.dumps(nbcache.last().to_json())
    cache.close()
    assert leaks(tmp_path / "store") == []


def test_a_changed_secret_is_told_by_its_name_alone(tmp_path):
    """`why` says that it changed, not from what to what."""
    cache = nbcache.Cache(tmp_path / "store")
    cache.cached(connect)("host", CANARY)
    cache.cached(connect)("host", f"{CANARY} another")
    told = cache.explain("connect")
    assert "token" in told
    assert "canary" not in told
    cache.close()
    assert leaks(tmp_path / "store") == []


def test_the_search_for_leaks_finds_one(tmp_path):
    """What is no secret by its name is kept, and found."""
    cache = nbcache.Cache(tmp_path / "store")
    cache.cached(count)(CANARY)
    cache.close()
    assert leaks(tmp_path / "store")


def test_a_private_entry_keeps_neither_arguments_nor_summaries(tmp_path):
    """And is marked, so that it never leaves the local store."""
    cache = nbcache.Cache(tmp_path / "store")
    cache.cached(count, private=True)(CANARY)
    [entry] = cache.core.store.entries()
    whole = cache.core.store.whole(entry)
    assert whole.private
    assert whole.call is None
    assert {part[2] for part in whole.parts} == {""}


CELLS = """
get_ipython().run_line_magic("load_ext", "nbcache")
import os
mine = open("secret.txt").read()
my_token = mine
get_ipython().run_cell_magic("cached", "private --private", "size = len(mine)")
get_ipython().run_cell_magic("cached", "named", "long = len(my_token)")
"""


def test_a_private_cell_and_a_cell_with_a_token(tmp_path):
    """The inputs of a cell are summarised under the same rule."""
    (tmp_path / "secret.txt").write_text(CANARY)
    (tmp_path / "cells.ipy").write_text(CELLS)
    store = tmp_path / "store"
    subprocess.run(
        [sys.executable, "-m", "IPython", "--quiet", "cells.ipy"],
        cwd=tmp_path,
        env={**os.environ, "NBCACHE_DIR": str(store), "IPYTHONDIR": str(tmp_path)},
        check=True,
        capture_output=True,
    )
    assert len(nbcache.Cache(store).core.store.entries()) == 2
    assert leaks(store) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_private_whatever_the_umask(tmp_path, umask):
    """Folders 0700, files 0600, the store itself and the secret's folder included."""
    code = (
        f"import os; os.umask({umask}); import nbcache\n"
        "def f(x): return open('data').read() + str(x)\n"
        "cache = nbcache.Cache('parent/store'); cache.cached(f)(1)\n"
        "cache.core.store.set_aside(next(cache.core.store.folder.rglob('*.npz')))\n"
        "cache.cached(f)(1); cache.close(); cache.entries()\n"
    )
    (tmp_path / "data").write_text("x")
    home = tmp_path / "home"
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "JUPYTER_DATA_DIR": str(home)},
        check=True,
    )
    paths = [tmp_path / "parent" / "store", home / "nbcache"]
    for top in tuple(paths):
        paths += top.rglob("*")
    names = {path.name for path in paths}
    assert {"secret", "index.sqlite", "history.sqlite", "locks", "damaged"} <= names
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
