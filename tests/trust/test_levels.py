"""Whose entries are hits: ``mine``, ``data``, ``none``; secrets; who may write."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from trust.forging import STRANGER, forge, resealed, value_tree, with_other_value

import nbcache
from nbcache import config
from nbcache.errors import CacheWarning, UntrustedEntry
from nbcache.keys.secret import is_secret_name
from nbcache.storage import codec, foreign, trust
from nbcache.storage.trust import Signer


def table(x):
    """Give what a colleague may share: data of many kinds."""
    return {
        "array": np.arange(50_000) * x,
        "frame": pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.NaT}),
        "when": pd.Timestamp("2024-01-01", tz="UTC"),
        "small": [np.float32(x), {"k": (1, 2.5, None)}, b"bytes", 1 + 2j],
        "texts": [f"text {i}" for i in range(100)],
    }


def made_of_code(x):
    """Give what only its author may load."""
    return sorted


def entry_of(folder):
    [found] = (folder / "entries").rglob("*.npz")
    return found


def as_stranger(path):
    """Seal a whole entry with the secret of somebody else."""
    path.write_bytes(resealed(path.read_bytes(), STRANGER))


@pytest.fixture
def shared(tmp_path):
    """A store with one entry that a colleague wrote."""

    def fill(function):
        nbcache.Cache(tmp_path).cached(function, memory=False)(3)
        as_stranger(entry_of(tmp_path))
        return tmp_path

    return fill


def test_data_of_others_is_a_hit_where_it_was_asked_for(shared):
    """Exactly the values that were stored."""
    folder = shared(table)
    found = nbcache.Cache(folder, trust="data").cached(table, memory=False)(3)
    assert nbcache.last().hit
    assert found["array"].tolist() == table(3)["array"].tolist()
    pd.testing.assert_frame_equal(found["frame"], table(3)["frame"])
    assert found["small"] == table(3)["small"]
    assert found["texts"] == table(3)["texts"]


def test_by_default_it_is_not(shared):
    """One line says whose it is not and what to do; one's own result replaces it."""
    folder = shared(table)
    call = nbcache.Cache(folder).cached(table, memory=False)
    with pytest.warns(
        CacheWarning, match=r"someone else.*nbcache trust .*data"
    ) as told:
        call(3)
    assert len(told) == 1
    assert (nbcache.last().hit, nbcache.last().reason) == (False, "untrusted")
    call(3)
    assert nbcache.last().hit


def test_code_of_others_is_never_loaded(shared):
    """Not even a function by its name."""
    folder = shared(made_of_code)
    call = nbcache.Cache(folder, trust="data").cached(made_of_code, memory=False)
    with pytest.warns(CacheWarning, match="could run code"):
        assert call(3) is sorted
    call(3)
    assert nbcache.last().hit


def test_with_trust_none_nothing_is_a_hit_and_all_is_stored(tmp_path):
    """For the continuous integration of a fork."""
    strict = nbcache.Cache(tmp_path, trust="none")
    strict.cached(table)(3)
    strict.cached(table)(3)
    assert (nbcache.last().hit, nbcache.last().reason) == (False, "disabled")
    nbcache.Cache(tmp_path).cached(table)(3)
    assert nbcache.last().hit
    name = strict.entries().name.iloc[0]
    with pytest.raises(UntrustedEntry, match="none"):
        strict.load(name)


def test_load_respects_trust(shared):
    """The same rules without a function."""
    folder = shared(table)
    name = nbcache.Cache(folder).entries().name.iloc[0]
    with pytest.raises(UntrustedEntry, match="someone else"):
        nbcache.Cache(folder).load(name)
    found = nbcache.Cache(folder, trust="data").load(name)
    assert found["value"]["texts"] == table(3)["texts"]


def test_a_foreign_digest_of_a_result_is_not_believed(shared):
    """It would stand for another value in the keys of calls with the result."""
    folder = shared(table)
    forge(entry_of(folder), state={"digest": [1, "0" * 32]})
    store = nbcache.Cache(folder, trust="data").core.store
    opened = store.get(entry_of(folder).stem.rpartition("-")[2])
    assert opened.entry.state == {}
    opened.close()


def test_every_way_sets_trust(monkeypatch, tmp_path):
    """Argument, environment, `configure`; a wrong word is refused."""
    assert nbcache.Cache(tmp_path).core.store.trust == "mine"
    assert nbcache.Cache(tmp_path, trust="data").core.store.trust == "data"
    with config.using(trust="none"):
        assert nbcache.Cache(tmp_path).core.store.trust == "none"
    with pytest.raises(ValueError, match="mine, data, none"):
        nbcache.Cache(tmp_path, trust="all")


@pytest.mark.parametrize(
    ("said", "held"), [("data", "mine"), ("none", "none"), ("mine", "mine")]
)
def test_a_repository_cannot_lower_trust(tmp_path, said, held):
    """Its pyproject may ask for more caution only."""
    (tmp_path / "pyproject.toml").write_text(f'[tool.nbcache]\ntrust = "{said}"\n')
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "from nbcache import config; print(config.current().trust)",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == held
    assert ("NBCACHE_TRUST" in found.stderr) == (said == "data")


# --- checksums


def test_unverified_bytes_do_not_run_code(tmp_path):
    """With ``verify="never"`` a signature still vouches for a digest, not for bytes."""
    nbcache.Cache(tmp_path).cached(made_of_code, memory=False)(3)
    path = entry_of(tmp_path)
    data = path.read_bytes()
    forge(path, tree=value_tree(["name", ["os", "system"]]))
    path.write_bytes(path.read_bytes()[:-512] + data[-512:])
    call = nbcache.Cache(tmp_path, verify="never").cached(made_of_code, memory=False)
    with pytest.warns(CacheWarning, match="damaged"):
        assert call(3) is sorted


def test_a_signed_digest_is_compared_with_the_bytes(tmp_path):
    """Another number with the right CRC-32, under the signature of before."""

    def numbers(x):
        return np.arange(20_000) * x

    call = nbcache.Cache(tmp_path).cached(numbers, memory=False)
    right = call(2)
    path = entry_of(tmp_path)
    data = path.read_bytes()
    path.write_bytes(with_other_value(data)[:-512] + data[-512:])
    with pytest.warns(CacheWarning, match="damaged"):
        assert call(2).tolist() == right.tolist()


# --- files of others


def test_an_entry_that_others_may_write_to_is_read_from_a_copy(tmp_path):
    """What was verified is what is decoded, whatever becomes of the file."""
    store = nbcache.Cache(tmp_path).core.store
    nbcache.Cache(tmp_path).cached(table, memory=False)(3)
    path = entry_of(tmp_path)
    path.chmod(0o666)
    opened = store.get(path.stem.rpartition("-")[2])
    with path.open("r+b") as file:
        file.truncate(0)
    assert opened.decode()["value"]["texts"] == table(3)["texts"]
    opened.close()


@pytest.mark.parametrize("how", ["writable", "foreign"])
def test_a_store_that_others_may_write_to_is_told_once(tmp_path, how):
    """It is used all the same: entries of others are not believed."""
    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    if how == "writable":
        folder.chmod(0o777)
    elif os.getuid():
        pytest.skip("only root makes folders of others")
    else:
        os.chown(folder, 65534, 65534)
    cache = nbcache.Cache(folder)
    with pytest.warns(CacheWarning, match="others may write|another user") as told:
        cache.cached(made_of_code)(1)
    assert len(told) == 1
    cache.cached(made_of_code)(1)
    assert nbcache.last().hit


# --- the secret


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    trust._signer.cache_clear()
    yield tmp_path / "jupyter" / "nbcache"
    trust._signer.cache_clear()


def _written(path, data, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def test_former_secrets_verify_but_do_not_sign(home):
    """A new secret does not cost the results of the old one."""
    _written(home / "secrets.d" / "2024", b"f" * 32)
    former, mine = Signer(b"f" * 32), trust.signer()
    old = former.sign("a" * 32, 10, "d")
    assert mine.is_mine("a" * 32, 10, "d", old)
    assert mine.sign("a" * 32, 10, "d") != old


def test_former_secrets_of_others_are_not_used(home):
    """They could have been planted to make entries mine."""
    _written(home / "secrets.d" / "open", b"f" * 32, 0o644)
    with pytest.warns(CacheWarning, match="former secret"):
        mine = trust.signer()
    old = Signer(b"f" * 32).sign("a" * 32, 10, "d")
    assert not mine.is_mine("a" * 32, 10, "d", old)


def test_a_secret_of_somebody_else_is_refused(home):
    """Who knows it could sign in my name."""
    if os.getuid():
        pytest.skip("only root makes files of others")
    _written(home / "secret", b"x" * 32)
    os.chown(home / "secret", 65534, 65534)
    with pytest.warns(CacheWarning, match="must belong to you"):
        assert not trust.signer().persistent


def test_without_a_home_one_process_has_one_secret(home, monkeypatch):
    """Entries are its own while it lives, and foreign later; said once."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", "/proc/nowhere")
    with pytest.warns(CacheWarning, match="NBCACHE_SECRET_FILE") as told:
        assert trust.signer() is trust.signer()
    assert len(told) == 1


def test_the_author_tells_nothing_of_the_secret(home):
    """It is the same for all entries of one secret, and another for another."""
    assert Signer(b"a" * 32).author == Signer(b"a" * 32).author
    assert Signer(b"a" * 32).author != Signer(b"b" * 32).author
    assert Signer(b"a" * 32).author not in (b"a" * 32).hex()


def test_many_foreign_entries_name_the_shared_secret(monkeypatch):
    """Said once, when it is no exception any more."""
    monkeypatch.setattr(trust, "_foreign", set())
    told = [trust.foreign_met(key) for key in "aabbccddee"]
    assert sum(map(bool, told)) == 1
    assert "NBCACHE_SECRET_FILE" in "".join(told)


# --- what may be decoded


def test_new_kinds_of_nodes_are_code_until_somebody_thought_of_them():
    """The list names what is allowed; all that is left out is refused."""
    left_out = {
        *("closed_file", "class", "frame state", "live", "member", "module"),
        *("name", "namedtuple", "object", "pickle", "polars", "scope", "type", "vars"),
    }
    assert codec.decode
    assert foreign.decoders.keys() - foreign.DATA_KINDS == left_out


@pytest.mark.parametrize("name", ["token", "my_password", "API_KEY", "auth", "pwd"])
def test_names_of_secrets(name):
    """Values of these names are never written down."""
    assert is_secret_name(name)
