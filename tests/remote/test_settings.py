"""How a shared store is named, and what is said of it."""

import subprocess
import sys
import warnings

import pytest

import nbcache
from nbcache import CacheWarning, config, stats
from nbcache.storage.remote_client import shown_url


def _run(code, folder):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_environment_names_a_remote(bucket, monkeypatch):
    """``NBCACHE_REMOTE`` is one of the ways to say it."""
    monkeypatch.setenv("NBCACHE_REMOTE", bucket.url)
    with config.using(dir=str(bucket.folder / "one")):

        @nbcache.cached
        def one():
            return 1

        one()
    assert len(bucket.names()) == 1


@pytest.mark.parametrize("url", ["bucket/prefix", "s3:/x", "s3://a b", 3])
def test_what_is_no_url_is_refused(url):
    """The text does not repeat it: it may hold a password."""
    with pytest.raises(ValueError, match="remote is a URL like s3://bucket/prefix"):
        nbcache.Cache(remote=url)


def test_urls_are_shown_without_what_is_secret():
    """No user, no password, no query."""
    url = "https://user:word@host.example:9000/bucket/prefix?token=x#y"
    assert shown_url(url) == "https://host.example:9000/bucket/prefix"


def test_a_project_cannot_name_a_remote(tmp_path):
    """A cloned repository must not have results sent to its author."""
    text = '[tool.nbcache]\nremote = "s3://theirs"\nkeep = 3\n'
    (tmp_path / "pyproject.toml").write_text(text)
    code = "from nbcache.config import current as now; print(now().remote, now().keep)"
    done = _run(code, tmp_path)
    assert done.stdout.strip() == "3"
    assert "remote counts only where you say it yourself" in done.stderr


def test_statistics_tell_with_whom_a_store_is_shared(bucket):
    """And whether the server keeps conditions."""
    core = bucket.machine("one").core
    assert f"shared with {bucket.url} (one host" in stats.text(core)
    told = {"url": bucket.url, "conditional": True}
    assert stats.to_json(core)["remote"] == told
    assert "remote" not in stats.to_json(nbcache.Cache(bucket.folder / "own").core)


def test_an_interrupt_is_not_kept_waiting_by_the_network(cut_bucket):
    """Ctrl-C reaches the user while a server says nothing."""
    bucket, proxy = cut_bucket
    proxy.fail("hang")
    code = """
    import signal, threading

    @cache.cached
    def one():
        return 1

    threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    try:
        one()
    except KeyboardInterrupt:
        print(time.monotonic() - began < 3)
    """
    assert bucket.run("one", code) == "True"


def test_a_folder_can_be_the_shared_store(client, secret, tmp_path):
    """``file://`` has no compare-and-swap: results travel, leases do not."""
    url = f"file://{tmp_path}/far"
    runs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        for name in ("one", "two"):
            cache = nbcache.Cache(tmp_path / name, remote=url)

            def one():
                runs.append(1)
                return 1

            cache.cached(one, ignore_globals=["runs"], track="none")()
        assert cache.core.store.remote.conditional is False
    assert len(cache.entries()) == 1


def test_without_the_package_results_are_computed_and_one_line_says_so(tmp_path):
    """``pip install 'nbcache[remote]'`` is named."""
    code = """
import sys
sys.modules["obstore"] = None
import importlib.util
import nbcache
cache = nbcache.Cache("one", remote="s3://user:word@bucket/prefix")
@cache.cached
def one(x):
    return x
print(one(1), one(2), one(1))
"""
    done = _run(code, tmp_path)
    assert done.stdout.strip() == "1 2 1"
    assert done.stderr.count("nbcache[remote]") == 1
    assert "word" not in done.stderr


def test_a_forked_process_shares_nothing_and_hangs_nowhere(bucket):
    """Connections do not survive a fork: it computes, and says so."""
    out = bucket.run(
        "one",
        """
        import warnings
        warnings.simplefilter("ignore")

        @cache.cached
        def twice(x):
            return 2 * x

        twice(1)
        child = os.fork()
        if not child:
            print(twice(2), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(twice(3))
        """,
    )
    assert out.split() == ["4", "6"]
    assert len(bucket.names()) == 2
