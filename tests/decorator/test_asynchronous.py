"""Coroutine functions: one computation for concurrent calls, in all loops."""

import asyncio
import functools
import inspect
import subprocess
import sys
import threading
import time

import counting
import numpy as np
import pytest

import nbcache


def test_a_coroutine_function_stays_one(cache):
    """For asyncio, and for inspect where Python can be told."""

    async def f():
        return 1

    class Model:
        @cache.cached
        async def run(self):
            return 1

    cached = cache.cached(f)
    assert asyncio.iscoroutinefunction(cached)
    assert asyncio.iscoroutinefunction(Model().run)
    assert not asyncio.iscoroutinefunction(cache.cached(lambda: 1))
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(cached)
        assert inspect.iscoroutinefunction(Model().run)
    assert asyncio.run(Model().run()) == 1


def test_concurrent_calls_share_one_task(cache, runs):
    """Each gets an object of its own, that nobody else can change."""

    @cache.cached
    async def f(x):
        counting.count()
        await asyncio.sleep(0.05)
        return {"a": [x], "b": np.zeros(5)}

    async def spoiling(x):
        got = await f(x)
        seen = got["a"] == [x] and not got["b"].any()
        got["a"].append(1)
        got["b"][:] = 1
        await asyncio.sleep(0.01)
        return seen, id(got)

    async def main():
        return await asyncio.gather(*(spoiling(x) for x in [1, 2] * 10))

    told = asyncio.run(main())
    assert all(seen for seen, _ in told)
    assert len(runs) == 2
    assert asyncio.run(spoiling(1))[0]
    assert len(runs) == 2


def test_what_is_not_stored_is_not_shared(cache, runs):
    """Everybody computes for himself."""

    @cache.cached(write=False)
    async def f():
        counting.count()
        await asyncio.sleep(0.03)
        return [1]

    async def main():
        return await asyncio.gather(*(f() for _ in range(4)))

    results = asyncio.run(main())
    assert results == [[1]] * 4
    assert len({id(one) for one in results}) == 4
    assert len(runs) == 4


def test_cancelling_one_does_not_stop_the_others(cache, runs):
    """Not even the one who came first."""

    @cache.cached
    async def f():
        counting.count()
        await asyncio.sleep(0.1)
        return 5

    async def main(victim):
        tasks = [asyncio.ensure_future(f()) for _ in range(3)]
        await asyncio.sleep(0.03)
        tasks[victim].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    for victim in range(3):
        f.clear()
        runs.clear()
        results = asyncio.run(main(victim))
        assert isinstance(results.pop(victim), asyncio.CancelledError)
        assert results == [5, 5]
        assert len(runs) == 1


def test_cancelling_all_stops_the_computation(cache, runs):
    """Nobody waits for it any more; a later call begins anew."""
    ended = []

    async def f():
        counting.count()
        try:
            await asyncio.sleep(5)
        finally:
            ended.append(1)

    f = cache.cached(f, ignore_globals="ended")

    async def main():
        began = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(f(), 0.05)
        assert ended == [1]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(f(), f()), 0.05)
        assert ended == [1, 1]
        return time.monotonic() - began

    assert asyncio.run(main()) < 3
    assert len(runs) == 2
    assert f.entries() == []


def test_an_exception_goes_to_all_and_is_not_kept(cache, runs):
    """The next call runs again."""

    @cache.cached
    async def f():
        counting.count()
        await asyncio.sleep(0.02)
        raise KeyError("x")

    async def main():
        calls = (f() for _ in range(4))
        return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(main())
    assert [type(one) for one in results] == [KeyError] * 4
    assert len(runs) == 1
    asyncio.run(main())
    assert len(runs) == 2


def test_loops_in_several_threads_compute_once(cache, runs):
    """The lock of the key holds them apart; no loop stops meanwhile."""

    @cache.cached
    async def f():
        counting.count()
        await asyncio.sleep(0.3)
        return [1]

    ticks, results = [], []

    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0.01)

    async def main():
        ticking = asyncio.ensure_future(tick())
        await asyncio.sleep(0)
        results.append(await f())
        ticking.cancel()

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[1]] * 3
    assert len(runs) == 1
    assert len(ticks) > 30


def test_a_loop_that_was_stopped_leaves_nothing_behind(cache, runs):
    """A later loop does not wait for its tasks."""

    @cache.cached
    async def f():
        counting.count()
        await asyncio.sleep(0.2)
        return 1

    for _ in range(2):
        loop = asyncio.new_event_loop()
        task = loop.create_task(f())
        loop.run_until_complete(asyncio.sleep(0.02))
        for one in asyncio.all_tasks(loop):
            one.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
    assert asyncio.run(f()) == 1
    assert len(runs) == 3


def test_a_function_that_awaits_its_own_call_does_not_hang(cache):
    """It recurses, as it would without a cache."""

    @cache.cached
    async def f(depth, box):
        if len(box) >= depth:
            return 1
        return await f(depth, box)

    async def main():
        with pytest.raises(RecursionError):
            await f(2, ())
        return 3

    assert asyncio.run(asyncio.wait_for(main(), 60)) == 3


def test_recursion_over_other_arguments(cache, runs):
    """Each level is a call of its own."""

    @cache.cached
    async def fib(n):
        counting.count()
        if n < 2:
            return n
        parts = await asyncio.gather(fib(n - 1), fib(n - 2))
        return sum(parts)

    assert asyncio.run(fib(12)) == 144
    assert len(runs) == 13


def test_methods_of_the_wrapper(cache, runs):
    """Those that compute are awaited, the others are not."""

    async def f(x):
        counting.count()
        return [x]

    f = cache.cached(f)

    async def main():
        with pytest.raises(nbcache.NotCached):
            f.peek(1)
        assert not f.is_cached(1)
        assert await f(1) == [1]
        assert f.is_cached(1)
        assert f.peek(1) == [1]
        assert f.explain(1).startswith("hit")
        assert f.key(1) != f.key(2)
        assert await f.refresh(1) == [1]
        assert await f.uncached(1) == [1]
        assert len(runs) == 3
        assert f.put([9], 2)
        assert await f(2) == [9]
        ref = await f.ref(1)
        assert ref.load() == [1]
        assert await f(await f.ref(3)) == [[3]]
        assert f.clear(1) == 1
        assert f.cache_info().currsize == 3

    asyncio.run(main())


def test_switched_off_each_call_runs(cache, runs):
    """As without the decorator."""

    @cache.cached
    async def f():
        counting.count()

    async def main():
        with nbcache.disabled():
            await asyncio.gather(f(), f())
            await f.refresh()

    asyncio.run(main())
    assert len(runs) == 3
    assert f.entries() == []


def test_partials_and_callables_that_are_coroutine_functions(cache, runs):
    """A callable is asynchronous if calling it is."""

    async def f(x, y):
        counting.count()
        return x + y

    class Adder:
        async def __call__(self, x):
            counting.count()
            return x + 1

    for cached in (cache.cached(functools.partial(f, 1)), cache.cached(Adder())):
        assert asyncio.run(cached(2)) == 3
        assert asyncio.run(cached(2)) == 3
    assert len(runs) == 2


def test_unhashable_calls_run_and_say_so(cache):
    """As synchronous ones do."""

    @cache.cached
    async def f(x):
        return 1

    with pytest.warns(nbcache.CacheWarning, match="cannot be part of a key"):
        assert asyncio.run(f(threading.Lock())) == 1


def test_mutated_arguments_and_seeds_are_noticed(cache, runs):
    """What happens across awaits is watched too."""

    @cache.cached
    async def f(x):
        counting.count()
        await asyncio.sleep(0.01)
        x.append(1)
        return len(x)

    with pytest.warns(nbcache.CacheWarning, match="changed its argument 'x'"):
        assert asyncio.run(f([])) == 1
    x = []
    asyncio.run(f(x))
    assert x == [1]
    assert len(runs) == 2


def test_kept_exceptions(cache, runs):
    """With ``cache_exceptions`` the failure is a hit; cancelling is none."""

    @cache.cached(cache_exceptions=True)
    async def f(x):
        counting.count()
        if x:
            raise ValueError(x)
        raise asyncio.CancelledError

    for _ in range(3):
        with pytest.raises(ValueError, match="5"):
            asyncio.run(f(5))
    assert len(runs) == 1
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(f(0))
    assert len(runs) == 3


SCRIPT = """
import asyncio, sys, nbcache
cache = nbcache.Cache(sys.argv[1])
@cache.cached
async def f():
    print("ran", flush=True)
    await asyncio.sleep(1)
    return 1
asyncio.run(f())
"""


def test_processes_compute_once(tmp_path):
    """Waiting polls the lock."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "c")]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    told = "".join(process.communicate(timeout=60)[0] for process in processes)
    assert told == "ran\n"
    assert all(process.returncode == 0 for process in processes)
