"""What all tests share: a home of their own, and settings as they were."""

import signal

import pytest
from kernel import shell_in_process

import nbcache
from nbcache import config

# what a shell runs in the background has no SIGINT, nor have its children
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """Keep the tests' secret, settings and default store apart from the user's."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home))
    for name in ("NBCACHE_DIR", "NBCACHE_ENABLED", "NBCACHE_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    with config.using(dir=str(home / "store")):
        yield


@pytest.fixture
def shell(tmp_path):
    """Give a shell with the magics."""
    with shell_in_process(tmp_path) as made:
        nbcache.load_ipython_extension(made)
        yield made
        nbcache.unload_ipython_extension(made)
