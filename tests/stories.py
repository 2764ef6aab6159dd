"""Scenarios of other systems as scripts, each in a process of its own."""

import subprocess
import sys

from kernel import environment


def script(folder, text, *options, **more):
    """Run a script in a new process and give how it ended."""
    path = folder / "script.py"
    path.write_text(text)
    return subprocess.run(
        [sys.executable, *options, str(path)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(folder, **{"JUPYTER_DATA_DIR": str(folder / "home"), **more}),
    )


def process(folder, text, **more):
    """Run a script that must not fail or warn; give what it printed."""
    done = script(folder, text, "-W", "error", **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def counted_by_a_list(folder, text):
    """Run a script that counts in a global `calls`; give what it printed.

    Writing to it is no input; one warning says that a hit does not repeat it.
    """
    done = script(folder, text)
    assert done.stderr.count("CacheWarning") == 1, done.stderr
    assert "calls" in done.stderr
    assert "a hit does not repeat" in done.stderr
    return done.stdout
