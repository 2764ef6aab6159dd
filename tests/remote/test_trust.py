"""A bucket is believed no more than a folder that somebody else can write to."""

import os
import sys
import warnings

import numpy as np
import pytest
from counting import ran

from nbcache import CacheWarning

CANARY = "c4n4ry-of-the-argument"


def double(seed):
    sys.audit("nbcache_test.ran", seed)
    return np.full(100, 2.0 * seed)


def greet(name):
    sys.audit("nbcache_test.ran", name)
    return len(name)


@pytest.fixture(autouse=True)
def afresh():
    ran.clear()


@pytest.fixture
def said():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CacheWarning)
        yield lambda: {str(one.message) for one in caught}


def other_secret(tmp_path, monkeypatch):
    path = tmp_path / "other"
    path.write_bytes(os.urandom(32))
    path.chmod(0o600)
    monkeypatch.setenv("NBCACHE_SECRET_FILE", str(path))


def entries(bucket):
    return [name for name in bucket.names() if name.endswith(".npz")]


def test_private_results_never_leave_the_machine(bucket):
    """Nor are they asked for."""
    cached = bucket.machine("one").cached(double, private=True)
    cached(1)
    assert bucket.names("") == []
    bucket.machine("two").cached(double)(1)
    ran.clear()
    bucket.machine("three").cached(double, private=True)(1)
    assert len(ran) == 1


def test_neither_arguments_nor_summaries_are_shared(bucket):
    """They stay in the folder of whoever computed; the key is the same."""
    one = bucket.machine("one")
    one.cached(greet)(CANARY)
    [name] = entries(bucket)
    [entry] = one.core.store.entries()
    assert CANARY in str(one.core.store.whole(entry).to_json())
    assert entry.key in name
    assert CANARY.encode() not in bucket.bytes(name)
    two = bucket.machine("two")
    assert two.cached(greet)(CANARY) == len(CANARY)
    assert len(ran) == 1
    fetched = two.core.store.whole(two.core.store.entries()[0])
    assert CANARY not in str(fetched.to_json())
    assert [row[:2] for row in fetched.parts] == [
        row[:2] for row in one.core.store.whole(entry).parts
    ]


def test_names_of_objects_hold_no_paths(bucket, monkeypatch):
    """Of a notebook's path only its name is shared."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/somebody/secret-project/fit.ipynb")
    bucket.machine("one").cached(greet)("x")
    for name in bucket.names(""):
        assert "/home" not in name
        assert b"secret-project" not in bucket.bytes(name)


def test_an_entry_of_another_secret_is_a_miss_with_one_line(
    bucket, tmp_path, monkeypatch, said
):
    """It is left where it is; one's own stands beside it."""
    bucket.machine("one").cached(double)(1)
    [foreign] = entries(bucket)
    data = bucket.bytes(foreign)
    other_secret(tmp_path, monkeypatch)
    bucket.machine("two").cached(double)(1)
    assert len(ran) == 2
    assert len(said()) == 1
    assert "NBCACHE_SECRET_FILE" in said().pop()
    assert bucket.bytes(foreign) == data
    assert len(entries(bucket)) == 2
    assert bucket.machine("three").cached(double)(1)[0] == 2.0
    assert len(ran) == 2


def test_an_entry_under_another_key_is_not_taken(bucket, said):
    """A valid object that was copied to the name of another call."""
    cached = bucket.machine("one").cached(double)
    cached(1)
    [first] = entries(bucket)
    cached(2)
    [second] = [name for name in entries(bucket) if name != first]
    bucket.put(second, bucket.bytes(first))
    assert bucket.machine("two").cached(double)(2)[0] == 4.0
    assert len(ran) == 3
    assert "damaged" in str(said())
    assert bucket.machine("three").cached(double)(2)[0] == 4.0
    assert len(ran) == 3


def test_a_forged_signature_is_not_taken(bucket, said):
    """The digest is right, but who made it has not got the secret."""
    from dataclasses import replace

    from nbcache.storage.npz import TRAILER_BYTES, Trailer

    bucket.machine("one").cached(double)(1)
    [name] = entries(bucket)
    data = bucket.bytes(name)
    trailer = Trailer.from_bytes(data[-TRAILER_BYTES:])
    forged = replace(trailer, mac="ab" * 32).to_bytes()
    bucket.put(name, data[:-TRAILER_BYTES] + forged)
    assert bucket.machine("two").cached(double)(1)[0] == 2.0
    assert len(ran) == 2


def test_a_huge_object_is_not_downloaded(cut_bucket, said):
    """What is no entry is found out from its end, before its bytes are fetched."""
    bucket, proxy = cut_bucket
    bucket.machine("one").cached(double)(1)
    [name] = entries(bucket)
    bucket.put(name, bytes(64_000_000))
    before = proxy.answered
    two = bucket.machine("two")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        assert two.cached(double)(1)[0] == 2.0
    assert proxy.answered - before < 32_000_000
    assert len(entries(bucket)) == 1
    assert len(bucket.bytes(name)) < 10_000


def test_a_planted_list_of_traces_is_not_followed(bucket, tmp_path):
    """It could have anything on the machine read; it is not signed."""
    import json

    bucket.machine("one").cached(double)(1)
    [name] = entries(bucket)
    key = name.rpartition("/")[2].rpartition("-")[2].partition(".")[0]
    secret = tmp_path / "private"
    secret.write_text("x")
    rows = [{"items": [["file", str(secret)]], "newest": key}]
    planted = json.dumps({"descriptors": rows, "mac": "ab" * 32})
    bucket.put(f"entries/{key[:2]}/{key}.traces", planted.encode())
    bucket.remote().delete(name)
    store = bucket.machine("two").core.store
    assert store.behind.read(key) == []


def test_nothing_is_shared_without_trust(bucket):
    """``trust="none"`` stores only; what is stored is still published."""
    bucket.machine("one").cached(double)(1)
    two = bucket.machine("two", trust="none").cached(double)
    assert two(1)[0] == 2.0
    assert two(3)[0] == 6.0
    assert len(ran) == 3
    assert len(entries(bucket)) == 2
