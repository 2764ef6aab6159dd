"""Run programs one after the other in one process, each as if it were alone."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import nbcache
import nbcache.cache

_KEPT = ("__name__", "__builtins__")


def run_all() -> None:
    """Run the programs that stdin lists; print what each left in ``answer``.

    A program is a place, its text and the modules beside it, by file name.
    """
    print(json.dumps([_run(*program) for program in json.load(sys.stdin)]))


def _run(name: str, text: str, modules: dict[str, str]) -> list[Any]:
    place = Path(name).absolute()
    for module, source in modules.items():
        (place / module).parent.mkdir(parents=True, exist_ok=True)
        (place / module).write_text(source)
    place.mkdir(exist_ok=True)
    # a name of its own: linecache would show the text of the last run
    path = place / f"program{len(list(place.iterdir()))}.py"
    path.write_text(text)
    os.environ["NBCACHE_DIR"] = str(place / "store")
    scope, loaded = vars(sys.modules["__main__"]), set(sys.modules)
    for other in [name for name in scope if name not in _KEPT]:
        del scope[other]
    scope["cached"] = nbcache.cached
    sys.path.insert(0, str(place))
    exec(compile(text, str(path), "exec"), scope)
    sys.path.remove(str(place))
    for added in set(sys.modules) - loaded:
        if str(place) in str(getattr(sys.modules[added], "__path__", "")) or str(
            place
        ) in str(getattr(sys.modules[added], "__file__", "")):
            del sys.modules[added]
    last = nbcache.cache.outcomes[-1]
    return [repr(scope["answer"]), last.hit, last.stored, last.refused]
