"""Workers that are killed, and users that interrupt: nothing is lost, little is redone.

Each run tells when it begins and when it ends, so that what is killed is known.
"""

import json
import signal
import time

import pytest
from pools import STUDY, run, start

slow = pytest.mark.slow

KILLS = """
killed = []

def kill_four():
    chosen = random.Random(4)
    for number in range(4):
        while len(work.told("e")) < 20 + 30 * number:
            time.sleep(0.005)
        while len(work.told("e")) < 200:
            # one that is in the middle of a run
            ended = {number for number, _ in work.told("e")}
            begun = [one for one in work.told() if one[0] < 1000]
            open_runs = [one for one in begun if one[0] not in ended]
            pids = [pid for _, pid in open_runs if pid not in killed]
            if pids:
                break
            time.sleep(0.002)
        else:
            return
        pid = chosen.choice(pids)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        finally:
            killed.append(pid)
"""


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("loky", marks=slow),
        "fork",
        pytest.param("spawn", marks=slow),
        "dask",
    ],
)
def test_four_workers_killed_during_200_runs(kind, tmp_path):
    """None is lost, none wrong, only killed ones are computed again."""
    told, _ = run(
        tmp_path,
        STUDY
        + KILLS
        + f"""
# main
batch = made()
with pool({kind!r}, 4) as kwargs:
    if {kind!r} == "dask":
        kwargs["executor"].wait_for_workers(4)
    else:
        warm = Batch("warm")
        warm.add_factorial_runs(work.of_module, {{"x": range(1000, 1008)}})
        warm(progress=False, **kwargs)
    with after(20, kill_four):
        batch(progress=False, **kwargs)
    right = right(batch)
    begun = sum(number < 1000 for number, _ in work.told())
    before = len(work.told())
    made()(progress=False, **kwargs)
    assert len(work.told()) == before
    print(json.dumps([len(killed), right.count(True), begun, len(work.told("e"))]))
""",
    )
    killed, right, begun, ended = told
    print(f"{kind}: {killed} killed, {begun - 200} computed again")
    assert killed == 4
    assert right == 200
    # a pool that breaks ends what its other workers do as well; 17 were seen with loky
    most = killed if kind == "dask" else 5 * killed
    assert 1 <= begun - 200 <= most, told
    assert ended - 200 <= most, told


@pytest.mark.parametrize(
    "kind",
    [pytest.param("loky", marks=slow), "fork", pytest.param("submit", marks=slow)],
)
def test_a_run_that_kills_its_worker_is_named_and_the_others_finish(kind, tmp_path):
    """Two of them among many that share their workers, one that exits hard."""
    told, _ = run(
        tmp_path,
        f"""
def study(x):
    work.begins(x)
    if x == 7:
        os._exit(3)
    if x == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.005)
    return x
# main
batch = Batch("poison")
batch.add_factorial_runs(study, {{"x": range(40)}})
told = []
with pool({kind!r}) as kwargs:
    try:
        batch(progress=False, **kwargs)
    except BatchError as error:
        told = [[one.run.index, one.kind, one.message] for one in error.failures]
    except RuntimeError as error:
        told = str(error)
done = batch.rundone
if told and isinstance(told, list):
    assert [x for x in range(40) if not done[x]] == [7, 11], done
    assert [one.attempts for one in [batch.run[7].error]] == [1]
begun = [number for number, _ in work.told() if number not in (7, 11)]
print(json.dumps([told, len(begun)]))
""",
    )
    failures, begun = told
    if kind == "submit":
        assert "call the batch again" in failures
        return
    assert sorted(one[0] for one in failures) == [7, 11]
    for one in failures:
        assert one[1].endswith("WorkerDied")
        assert "ended its worker each time it was tried" in one[2]
    assert begun <= 38 + 6


def test_a_broken_pool_is_replaced(tmp_path):
    """That of the user stays as it is."""
    told, _ = run(
        tmp_path,
        STUDY
        + """
# main
batch = made(8)
with ProcessPoolExecutor(2) as executor:
    try:
        executor.submit(os._exit, 1).result()
    except RuntimeError:
        pass
    batch(executor=executor, progress=False)
print(json.dumps([all(right(batch)), len(work.told())]))
""",
    )
    assert told == [True, 8]


@pytest.mark.parametrize(
    "kind",
    [
        "loky",
        pytest.param("here", marks=slow),
        pytest.param("fork", marks=slow),
        pytest.param("threads", marks=slow),
        pytest.param("dask", marks=slow),
    ],
)
def test_an_interrupt_keeps_what_is_done(kind, tmp_path):
    """Calling again goes on from there."""
    code = (
        STUDY
        + f"""
# main
batch = made(100)
with pool({kind!r}) as kwargs:
    print("ready", flush=True)
    try:
        batch(progress=False, **kwargs)
        answer = "not interrupted"
    except KeyboardInterrupt:
        answer = "interrupted"
    first = len(work.told("e"))
    kept = sum(batch.rundone)
    batch(progress=False, **kwargs)
print(json.dumps([answer, kept, first, len(work.told("e")), all(right(batch))]))
"""
    )
    process = start(tmp_path, code)
    try:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        ran = tmp_path / "ran"
        until = time.monotonic() + 60
        while not ran.exists() or ran.read_text().count("e") < 15:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=90)
    finally:
        process.kill()
    assert process.returncode == 0, error
    answer, kept, first, ended, right = json.loads(out.splitlines()[-1])
    assert answer == "interrupted"
    assert first - 4 <= kept
    assert 10 <= kept < 100
    assert right
    assert ended <= 100 + 4


@slow
def test_nothing_stays_behind_after_kills_and_interrupts(tmp_path):
    """Neither processes of ours nor canaries and arguments."""
    told, _ = run(
        tmp_path,
        """
def study(data, x):
    work.begins(x)
    if x == 3:
        os._exit(1)
    return float(data.sum()) + x
# main
from loky import get_reusable_executor
import multiprocessing
batch = Batch("left")
batch.add_factorial_runs(study, {"data": [np.ones(400_000)], "x": range(6)})
with ProcessPoolExecutor(2) as executor:
    batch(executor=executor, progress=False, on_error="keep")
until = time.monotonic() + 20
while multiprocessing.active_children() and time.monotonic() < until:
    time.sleep(0.05)
left = len(multiprocessing.active_children())
print(json.dumps([left, sorted(set(nbcache.entries()["kind"]))]))
""",
    )
    left, kinds = told
    assert left == 0
    assert not {"argument", "canary"} & set(kinds)
