"""Leases between hosts: one holds, the dead do not, and nobody waits for strangers."""

import json
import os
import signal
import time

import pytest

from nbcache.storage import host_leases
from nbcache.storage.host_leases import HostLease

KEY = "ab" * 16


@pytest.fixture
def leases(bucket, monkeypatch):
    """Make leases as other hosts would: none knows what this process holds."""
    made = []

    def make(ttl_s=1.0, look=lambda: ()):
        host_leases._held.clear()
        lease = HostLease(bucket.remote(), KEY, look, ttl_s=ttl_s)
        made.append(lease)
        return lease

    yield make
    for one in made:
        one.release()


def tried(lease, seconds):
    until = time.monotonic() + seconds
    host_leases._held.clear()
    while time.monotonic() < until:
        if lease.attempt():
            return True
        time.sleep(0.02)
    return False


def test_only_one_holds_a_lease(leases):
    """Another one gets it when it was given back."""
    first, second = leases(), leases()
    assert tried(first, 5)
    assert first.is_held
    assert not tried(second, 1.5)
    first.release()
    assert tried(second, 5)
    assert second.is_held


def test_a_lease_is_renewed_for_as_long_as_it_is_held(leases):
    """It outlives its term several times."""
    first, second = leases(), leases()
    assert tried(first, 5)
    assert not tried(second, 3.5)
    assert first.is_held


def test_a_lease_that_nobody_renews_is_taken_over(leases):
    """By one of those who wait, as its clock says."""
    first = leases()
    assert tried(first, 5)
    first._stop.set()  # as if its process had been killed
    waiting = [leases(), leases()]
    until = time.monotonic() + 15
    while not any(one.is_held for one in waiting) and time.monotonic() < until:
        for one in waiting:
            host_leases._held.clear()
            one.attempt()
        time.sleep(0.02)
    assert [one.is_held for one in waiting].count(True) == 1


def test_waiting_ends_when_the_result_is_there(leases):
    """Who waits then looks it up, without the lease."""
    stands = [()]
    first, second = leases(), leases(look=lambda: stands[0])
    assert tried(first, 5)
    assert not tried(second, 1)
    stands[0] = ("new",)
    assert tried(second, 5)
    assert not second.is_held


@pytest.mark.parametrize(
    "planted",
    [
        b"rubbish",
        b"[]",
        json.dumps(
            {"holder": "x", "write_id": "y", "ttl_s": 1e9, "mac": "ab" * 32}
        ).encode(),
        b"x" * 10_000,
    ],
    ids=["rubbish", "list", "unsigned", "large"],
)
def test_nobody_waits_for_a_lease_that_the_team_did_not_write(leases, bucket, planted):
    """Whoever can write to the bucket cannot make others wait."""
    bucket.put(f"leases/{KEY[:2]}/{KEY}.lease", planted)
    assert tried(leases(), 3)


def test_a_lease_whose_answer_was_lost_is_held(cut_bucket):
    """The second attempt finds its own."""
    bucket, proxy = cut_bucket
    host_leases._held.clear()
    remote = bucket.remote()
    assert remote.keeps_conditions()
    proxy.fail("lost", b"PUT", count=1)
    lease = HostLease(remote, KEY, lambda: ())
    assert tried(lease, 5)
    assert lease.is_held
    lease.release()
    assert bucket.names("leases/") == []


def test_conditions_that_are_ignored_mean_no_lease(careless_bucket):
    """A lock that everybody gets is none."""
    lease = HostLease(careless_bucket.remote(), KEY, lambda: ())
    host_leases._held.clear()
    assert tried(lease, 5)
    assert not lease.is_held


@pytest.mark.slow
def test_a_killed_machine_holds_up_the_others_for_a_term_at_most(bucket):
    """What it was computing is computed by another."""
    code = """
    @cache.cached
    def slow():
        print("computing", flush=True)
        time.sleep(600 if cache.directory.name == "one" else 0)
        return 1

    print(slow())
    """
    # which cache it has does not change its key
    first = bucket.start("one", code)
    assert first.stdout.readline() == "computing\n"
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    began = time.monotonic()
    assert bucket.run("two", code) == "computing\n1"
    assert host_leases.TTL_S < time.monotonic() - began < 3 * host_leases.TTL_S
