"""What all tests share: a home of their own, and settings as they were."""

import pytest

from nbcache import config


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """Keep the tests' secret, settings and default store apart from the user's."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home))
    for name in ("NBCACHE_DIR", "NBCACHE_ENABLED", "NBCACHE_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    with config.using(dir=str(home / "store")):
        yield
