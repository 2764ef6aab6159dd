"""Programs that give the runs of batches to pools of real processes.

A program is the `__main__` of a process of its own.  Each run tells where it begins and
where it ends by audit events, whose hook appends to a file that was opened before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

from kernel import environment

WORK = '''
import os, signal, sys, time

LIMIT = 3
_ran = os.open(os.environ["RAN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def _hook(event, arguments):
    if event in ("test.begins", "test.ends"):
        line = f"{event[5]} {arguments[0]} {os.getpid()}\\n"
        os.write(_ran, line.encode())

sys.addaudithook(_hook)

def told(kind="b"):
    """Give what began, or ended, as numbers of runs and of processes."""
    with open(os.environ["RAN"]) as file:
        lines = [line.split() for line in file]
    return [(int(number), int(pid)) for one, number, pid in lines if one == kind]

def begins(number):
    sys.audit("test.begins", number)

def ends(number):
    sys.audit("test.ends", number)

def helper(x):
    return x + LIMIT

def of_module(x):
    begins(x)
    return helper(x)
'''

PROLOGUE = """
import json, os, random, signal, sys, threading, time, warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
import multiprocessing
import numpy as np
import nbcache
from nbcache import Batch, BatchError, Run
import work

@contextmanager
def cluster(workers=2, threads=1, **more):
    import dask
    from distributed import Client, LocalCluster
    dask.config.set({"distributed.worker.profile.enabled": False})
    with LocalCluster(
        n_workers=workers, threads_per_worker=threads, dashboard_address=None, **more
    ) as made, Client(made) as client:
        yield client

@contextmanager
def pool(kind, workers=2):
    if kind == "here":
        yield {}
    elif kind == "loky":
        yield {"workers": workers}
    elif kind == "threads":
        with ThreadPoolExecutor(workers) as made:
            yield {"executor": made}
    elif kind == "submit":
        class Only:
            def __init__(self, inner):
                self.submit = inner.submit
        with ProcessPoolExecutor(workers) as made:
            yield {"executor": Only(made)}
    elif kind == "dask":
        with cluster(workers) as made:
            yield {"executor": made}
    else:
        context = multiprocessing.get_context(kind)
        with ProcessPoolExecutor(workers, context) as made:
            yield {"executor": made}

def once():
    numbers = [number for number, _ in work.told()]
    return len(numbers) == len(set(numbers))

def in_others():
    return all(pid != os.getpid() for _, pid in work.told())

# does something in a thread once so many runs have ended, and waits for it at the end
class after:
    def __init__(self, ended, act):
        def wait():
            while len(work.told("e")) < ended:
                time.sleep(0.005)
            act()
        self.thread = threading.Thread(target=wait)
    def __enter__(self):
        self.thread.start()
    def __exit__(self, *_):
        self.thread.join()
"""

STUDY = """
def study(x):
    work.begins(x)
    time.sleep(0.02)
    work.ends(x)
    return {"value": np.full(8, x * x)}

def made(count=200, target=None):
    batch = Batch("study")
    batch.add_factorial_runs(target or study, {"x": range(count)})
    return batch

def right(batch):
    return [one is not None and one["value"].tolist() == [x * x] * 8
            for x, one in enumerate(batch.res)]
"""


def start(folder, code, name="program.py", **more):
    """Start a program in a folder."""
    (folder / "work.py").write_text(WORK)
    main = textwrap.indent(textwrap.dedent(code).partition("# main\n")[2], " " * 4)
    defined = textwrap.dedent(code).partition("# main\n")[0]
    path = folder / name
    path.write_text(f'{PROLOGUE}\n{defined}\nif __name__ == "__main__":\n{main}\n')
    given = environment(folder, **more)
    given["PYTHONPATH"] = os.pathsep.join([given["PYTHONPATH"], str(folder)])
    given.setdefault("JUPYTER_DATA_DIR", str(folder / "home"))
    given.setdefault("RAN", str(folder / "ran"))
    return subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=given,
    )


def run(folder, code, *, timeout_s=240, **more):
    """Run a program; give what its last line says, and what it tells on stderr."""
    process = start(folder, code, **more)
    try:
        out, error = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, error = process.communicate()
        raise AssertionError(f"it did not end: {out}{error}") from None
    assert process.returncode == 0, error
    return (json.loads(out.splitlines()[-1]) if out else None), error
