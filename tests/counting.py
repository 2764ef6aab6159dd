"""Count executions by an audit event, which the cache cannot see."""

import sys

ran: list[tuple[object, ...]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event == "nbcache_test.ran":
        ran.append(arguments)


sys.addaudithook(_hook)


def count(*what: object) -> None:
    """Note one execution."""
    sys.audit("nbcache_test.ran", *what)
