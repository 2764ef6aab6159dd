"""Batches on one bucket: the batch and its workers keep folders of their own."""

import importlib.util
import sys
from pathlib import Path

import pytest
from pools import run

pytest.importorskip("distributed")

# fixtures of the server, with a secret that a team shares
_SPEC = importlib.util.spec_from_file_location(
    "remote_conftest", Path(__file__).parents[1] / "remote" / "conftest.py"
)
_remote = importlib.util.module_from_spec(_SPEC)
sys.modules["remote_conftest"] = _remote
_SPEC.loader.exec_module(_remote)
client, conditional_server = _remote.client, _remote.conditional_server
secret, bucket = _remote.secret, _remote.bucket


def test_workers_on_other_disks_share_a_bucket(bucket, secret, tmp_path):
    """They cannot see the folder of the batch; each writes to its own and publishes."""
    told, error = run(
        tmp_path,
        f"""
class Point:
    def __init__(self, x):
        self.x = x
def study(x, data):
    work.begins(x)
    return {{"value": np.full(1000, x * x), "point": Point(float(data.sum()))}}
# main
with cluster(2) as client:
    def apart():
        # another machine: it has no such folder
        from nbcache.executors import work as inner
        from pathlib import Path
        from nbcache import config, cores
        mine = Path.cwd() / f"disk{{os.getpid()}}"
        config.using(dir=str(mine)).__enter__()
        before = inner.core_with
        def core_with(folder, settings):
            return before(mine if folder != mine else folder, settings)
        inner.core_with = core_with
    client.run(apart)
    cache = nbcache.Cache("here", remote={bucket.url!r})
    batch = Batch("shared", cache=cache)
    batch.add_factorial_runs(study, {{"x": range(8), "data": [np.ones(300_000)]}})
    batch(executor=client, progress=False)
    assert [int(one["value"][5]) for one in batch.res] == [x * x for x in range(8)]
    assert [one["point"].x for one in batch.res] == [3e5] * 8
    assert [run._inside.held for run in batch.run] == [None] * 8
    disks = [len(list(one.glob("entries/*/*.npz"))) for one in Path_.glob("disk*")]
    print(json.dumps([once(), in_others(), sum(disks)]))
""".replace("Path_.glob", "__import__('pathlib').Path().glob"),
        NBCACHE_SECRET_FILE=str(secret),
        **bucket.environment,
    )
    assert told[:2] == [True, True]
    assert told[2] >= 8
    assert "do not see the store" not in error
    names = bucket.names()
    assert len(names) >= 8
