"""Runs on clusters of Dask: real schedulers, workers in processes of their own."""

import os

import pytest
from pools import STUDY, run

pytest.importorskip("distributed")


def test_clusters_of_processes_and_threads(tmp_path):
    """Functions of the script, nothing is told wrongly, no port of ours is opened."""
    told, error = run(
        tmp_path,
        STUDY
        + """
# main
with cluster(2, threads=2) as client:
    batch = made(40)
    batch(executor="dask", progress=False)
    assert all(right(batch))
    first = [once(), in_others(), len(work.told())]
    again = made(60)
    again(executor=client, progress=False)
    assert all(right(again))
    dashboard = client.cluster.dashboard_link
    states = [run._entry().state for run in again.run]
    drawn = [one["rng"] for one in states if one.get("rng", {}).get("drawn")]
    print(json.dumps([*first, once(), len(work.told()), drawn]))
""",
    )
    assert told == [True, True, 40, True, 60, []]
    assert "Warning" not in error, error


def test_an_array_and_its_transpose_are_two_runs(tmp_path):
    """Dask's own tokens are the same, and would give one the other's result."""
    told, _ = run(
        tmp_path,
        """
def corner(values):
    return float(values[0, 1])
# main
a = np.arange(16.0).reshape(4, 4)
with cluster(1, processes=False) as client:
    batch = Batch("transposed")
    batch.add_run(corner, {"values": a})
    batch.add_run(corner, {"values": a.T})
    batch(executor=client, progress=False)
    print(json.dumps(list(batch.res)))
""",
    )
    assert told == [1.0, 4.0]


@pytest.mark.slow
def test_a_task_that_kills_its_worker_is_named_and_the_others_finish(tmp_path):
    """However many innocent ones shared the workers."""
    told, _ = run(
        tmp_path,
        """
def study(x):
    work.begins(x)
    if x == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return x
# main
import dask
dask.config.set({"distributed.scheduler.allowed-failures": 1})
with cluster(2) as client:
    batch = Batch("poison")
    batch.add_factorial_runs(study, {"x": range(30)})
    try:
        batch(executor=client, progress=False)
    except BatchError as error:
        told = [[one.run.index, one.kind, one.message] for one in error.failures]
    rest = [x for x in range(30) if x != 7]
    assert [batch.res[x] for x in rest] == rest, list(batch.res)
    begun = [number for number, _ in work.told() if number != 7]
    print(json.dumps([told, len(begun)]))
""",
    )
    (failed,), begun = told[0], told[1]
    assert failed[0] == 7
    assert failed[1].endswith("WorkerDied")
    assert "ended its worker each time" in failed[2]
    assert begun < 29 + 8


@pytest.mark.slow
def test_a_restart_in_the_middle_costs_only_what_ran(tmp_path):
    """What was stored is not computed again; the batch goes on."""
    told, _ = run(
        tmp_path,
        STUDY
        + """
# main
with cluster(2) as client:
    batch = made(60)
    with after(10, client.restart):
        batch(executor=client, progress=False)
    assert all(right(batch))
    print(json.dumps(len(work.told())))
""",
    )
    assert 60 <= told <= 62


@pytest.mark.slow
def test_a_closed_client_ends_the_wait(tmp_path):
    """It says so at once; what is done is kept."""
    told, _ = run(
        tmp_path,
        STUDY
        + """
# main
with cluster(2) as client:
    batch = made(200)
    try:
        with after(10, client.close):
            batch(executor=client, progress=False)
    except RuntimeError as error:
        text = str(error)
time.sleep(0.2)
before = len(work.told("e"))
kept = sum(made(200).rundone)
print(json.dumps([text, before, kept]))
""",
    )
    text, before, kept = told
    assert "client is closed" in text or "takes no work" in text, text
    assert before - 4 <= kept <= before


def test_a_cluster_without_workers_is_not_waited_for_without_end(tmp_path):
    """It is told of, and ends when there has been none for long."""
    told, error = run(
        tmp_path,
        STUDY
        + """
# main
from nbcache.executors import pools, drive
pools.NO_WORKER_TOLD_S, pools.NO_WORKER_S, drive.CHECK_S = 0.5, 2, 0.2
with cluster(1, processes=False) as client:
    client.cluster.scale(0)
    while client.nthreads():
        time.sleep(0.05)
    try:
        made(3)(executor=client, progress=False)
    except RuntimeError as error:
        print(json.dumps(str(error)))
""",
    )
    assert "has had no worker for" in told
    assert "waiting for one" in error


def test_workers_that_do_not_see_the_store_send_their_results(tmp_path):
    """One line says so; they are right, and stored here."""
    other = tmp_path / "other"
    other.write_bytes(os.urandom(32))
    other.chmod(0o600)
    told, error = run(
        tmp_path,
        STUDY
        + f"""
def sum_of(data, x):
    work.begins(x)
    return float(data.sum()) + x
# main
def elsewhere():
    os.environ["NBCACHE_SECRET_FILE"] = {str(other)!r}
with cluster(2) as client:
    client.run(elsewhere)
    batch = made(12)
    batch(executor=client, progress=False)
    assert all(right(batch))
    large = Batch("large")
    large.add_factorial_runs(
        sum_of, {{"data": [np.ones(500_000)], "x": range(100, 104)}}
    )
    large(executor=client, progress=False)
    assert list(large.res) == [500_100.0 + x for x in range(4)]
assert all(made(12).rundone)
assert [run._inside.held for run in batch.run] == [None] * 12
print(json.dumps([once(), in_others()]))
""",
    )
    assert told == [True, True]
    assert error.count("workers do not see the store") == 1, error


def test_workers_with_other_code_compute_nothing(tmp_path):
    """A module that was edited since they imported it: both sides are named."""
    (tmp_path / "model.py").write_text("def factor(x):\n    return 2 * x\n")
    told, _ = run(
        tmp_path,
        """
import model
def study(x):
    work.begins(x)
    return model.factor(x)
# main
import importlib
from pathlib import Path
with cluster(1) as client:
    def looks():
        import model
        return model.factor(1)
    assert set(client.run(looks).values()) == {2}
    Path("model.py").write_text("def factor(x):\\n    return 3 * x  # more\\n")
    importlib.reload(model)
    batch = Batch("skew")
    batch.add_factorial_runs(study, {"x": range(3)})
    direct = Batch("direct")
    direct.add_factorial_runs(model.factor, {"x": range(3)})
    told = []
    for one in (batch, direct):
        try:
            one(executor=client, progress=False)
        except BatchError as error:
            told += [failure.message for failure in error.failures]
    assert not any(batch.rundone)
    assert not any(direct.rundone)
    assert not work.told()
    print(json.dumps(told))
""",
    )
    assert len(told) == 6
    assert all("was not computed: the worker finds other" in one for one in told), told
    assert all("than the client" in one for one in told), told


@pytest.mark.slow
def test_workers_with_other_versions_compute_nothing(tmp_path):
    """The error has the versions of both sides."""
    told, _ = run(
        tmp_path,
        """
def study(x):
    work.begins(x)
    return np.full(3, x)
# main
with cluster(1) as client:
    def older():
        import numpy
        numpy.__version__ = "1.0"
    client.run(older)
    batch = Batch("skew")
    batch.add_factorial_runs(study, {"x": range(2)})
    try:
        batch(executor=client, progress=False)
    except BatchError as error:
        told = [failure.message for failure in error.failures]
    print(json.dumps([told, np.__version__, len(work.told())]))
""",
    )
    messages, version, begun = told
    assert begun == 0
    assert len(messages) == 2
    for one in messages:
        assert f"numpy {version} in the client, 1.0 in the worker" in one
