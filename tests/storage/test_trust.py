"""The user's secret and signatures."""

import os
import subprocess
import sys

import pytest

from nbcache.errors import CacheWarning
from nbcache.storage import trust


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.delenv("NBCACHE_SECRET_FILE", raising=False)
    return tmp_path / "jupyter"


def test_the_secret_is_made_once_and_private(home):
    """32 bytes, mode 0600, the same for every process."""
    signature = trust.signer().sign("a" * 32, 10, "d")
    path = home / "nbcache" / "secret"
    assert len(path.read_bytes()) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    code = (
        "from nbcache.storage import trust; print(trust.signer().sign('a'*32, 10, 'd'))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == signature


def test_processes_that_begin_together_agree(home):
    """Of several first starts one secret wins."""
    code = (
        "from nbcache.storage import trust; print(trust.signer().sign('a'*32, 10, 'd'))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    found = {process.communicate()[0] for process in running}
    assert len(found) == 1
    assert [path.name for path in (home / "nbcache").iterdir()] == ["secret"]


def test_a_signature_covers_key_length_and_digest(home):
    """Another one of any of them is another signature."""
    signer = trust.signer()
    signature = signer.sign("a" * 32, 10, "d")
    assert signer.is_mine("a" * 32, 10, "d", signature)
    assert not signer.is_mine("b" * 32, 10, "d", signature)
    assert not signer.is_mine("a" * 32, 11, "d", signature)
    assert not signer.is_mine("a" * 32, 10, "e", signature)


@pytest.mark.parametrize("fault", ["open to others", "short", "folder"])
def test_a_secret_that_is_none_is_not_used(home, fault):
    """Then entries are signed for this process alone, and that is said."""
    path = home / "nbcache" / "secret"
    path.parent.mkdir(parents=True)
    if fault == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"x" * (32 if fault == "open to others" else 3))
        path.chmod(0o644 if fault == "open to others" else 0o600)
    with pytest.warns(CacheWarning, match="NBCACHE_SECRET_FILE"):
        signer = trust.signer()
    assert not signer.persistent


def test_a_named_secret_is_used_but_never_made(tmp_path, monkeypatch):
    """A team's secret comes from the team."""
    path = tmp_path / "team"
    monkeypatch.setenv("NBCACHE_SECRET_FILE", str(path))
    with pytest.warns(CacheWarning, match="no lasting secret"):
        trust.signer()
    assert not path.exists()
    path.write_bytes(os.urandom(32))
    path.chmod(0o600)
    trust._signer.cache_clear()
    assert trust.signer().persistent
