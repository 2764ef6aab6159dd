"""``nbcache trust``: what is shown, what is signed, what is refused."""

import shutil

import numpy as np
import pytest
from trust.forging import STRANGER, forge, resealed, value_tree

import nbcache
from nbcache import cli, trusting


def double(x):
    """Give an array."""
    return np.arange(10) * x


def maker(x):
    """Give what needs pickle."""
    return {"sort": sorted, "made": (lambda y: x + y)}


def read(x):
    """Read a file, so that the entry is found by a list of traces only."""
    with open("data.txt") as file:
        return file.read() + str(x)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def stored(store, function, x=3):
    """Give the file of an entry that a stranger wrote."""
    nbcache.Cache(store).cached(function, memory=False)(x)
    before = set(store.rglob("*.npz"))
    [path] = [one for one in before if trusting.examined(one)[0].is_mine]
    path.write_bytes(resealed(path.read_bytes(), STRANGER))
    return path


def run(*arguments):
    return cli.main(["trust", *map(str, arguments)])


def test_a_trusted_file_is_a_hit(store, capsys):
    """After it was shown and signed."""
    path = stored(store, double)
    assert run(path, "--yes") == cli.OK
    told = capsys.readouterr().out
    assert "double" in told
    assert str(path) in told
    assert "author" in told
    assert "data, text and pictures only" in told
    assert "signed 1 entry" in told
    call = nbcache.Cache(store).cached(double, memory=False)
    assert call(3).tolist() == double(3).tolist()
    assert nbcache.last().hit
    assert path.stat().st_mode & 0o777 == 0o600


def test_code_is_announced(store, capsys):
    """Before anything is signed."""
    path = stored(store, maker)
    assert run(path, "-y") == cli.OK
    assert "run code" in capsys.readouterr().out
    assert nbcache.Cache(store).cached(maker, memory=False)(3)["made"](4) == 7
    assert nbcache.last().hit


def test_html_and_changes_of_the_process_are_announced(store, capsys):
    """They are no data either."""
    path = stored(store, double)
    outputs = [{"type": "display", "data": {"text/html": "<b>"}}]
    state = {"environment": [["PATH", "/tmp"]]}
    forge(path, tree=value_tree(1), outputs=outputs, state=state)
    run(path, "-y")
    told = capsys.readouterr().out
    assert "text/html" in told
    assert "environment" in told


def test_a_whole_store_is_signed_with_its_traces(store, tmp_path, monkeypatch, capsys):
    """Entries that are found through what their runs read, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.txt").write_text("x")
    stored(store, double)
    stored(store, read)
    for path in store.rglob("*.traces"):
        path.unlink()
    assert run(store, "-y") == cli.OK
    assert "signed 2 entries" in capsys.readouterr().out
    for function in (double, read):
        nbcache.Cache(store).cached(function, memory=False)(3)
        assert nbcache.last().hit
    assert run(store, "-y") == cli.OK
    assert "2 are yours already" in capsys.readouterr().out


def test_it_asks(store, capsys):
    """Without a terminal it demands the flag, and signs nothing."""
    path = stored(store, double)
    before = path.read_bytes()
    assert run(path) == cli.WRONG_USE
    assert "add -y" in capsys.readouterr().err
    assert path.read_bytes() == before


def _link(path):
    target = path.with_name("target.npz")
    shutil.move(path, target)
    path.symlink_to(target)
    return path


def _damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    return path


def _renamed(path):
    return path.rename(path.with_name(f"{'ab' * 16}.npz"))


def _misnamed(path):
    return path.rename(path.with_name("results.npz"))


def _other(path):
    path.write_bytes(b"something else")
    return path


@pytest.mark.parametrize("change", [_link, _damage, _renamed, _misnamed, _other])
def test_what_cannot_be_vouched_for_is_refused(store, capsys, change):
    """Links, damage, and entries under foreign names are never signed."""
    path = change(stored(store, double))
    before = path.read_bytes()
    assert run(path, "-y") == cli.PROBLEMS
    assert "refused" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_what_was_shown_is_what_is_signed(store):
    """An entry that is exchanged between the two is not."""
    path = stored(store, double)
    [found] = trusting.examined(path)
    forge(path, tree=value_tree(666))
    before = path.read_bytes()
    with pytest.raises(OSError, match="another one"):
        trusting.signed(found)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir() if one.suffix == ".tmp"] == []


def test_names_do_not_steer_the_terminal(store, capsys):
    """They are a stranger's."""
    path = stored(store, double)
    forge(path, tree=value_tree(1), name="\x1b]0;owned\x07", kind="a\nb")
    run(path, "-y")
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\x07" not in told


def test_a_missing_file_is_an_error(tmp_path, capsys):
    """With its name."""
    assert run(tmp_path / "none") == cli.PROBLEMS
    assert "none" in capsys.readouterr().err
