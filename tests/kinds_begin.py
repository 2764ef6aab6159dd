"""What runs in the kernels of `kinds`: a new namespace, and what the cache said."""

from __future__ import annotations

import json

from IPython import get_ipython

import nbcache.cache


def begin() -> None:
    """Make the namespace as in a new kernel; ``%reset`` collects garbage each time."""
    shell = get_ipython()
    for name in [*shell.user_ns]:
        if name not in shell.user_ns_hidden and not name.startswith("_"):
            del shell.user_ns[name]
    for name in ("_begin", "_exit_code"):
        shell.user_ns.pop(name, None)
    for name in ("_", "__", "___"):
        shell.user_ns[name] = shell.user_ns_hidden[name] = ""
        setattr(shell.displayhook, name, "")
    shell.user_ns["_oh"].clear()
    shell.run_line_magic("load_ext", "nbcache")
    outcomes()


def outcomes() -> str:
    """Give what the cache said since the last time."""
    said = [one.to_json() for one in nbcache.cache.outcomes]
    nbcache.cache.outcomes.clear()
    nbcache.cache._registry.clear()
    return json.dumps(said)
