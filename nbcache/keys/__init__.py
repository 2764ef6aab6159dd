"""What identifies a computation: digests of values and of code, and their key.

Pure: nothing here touches a store.
"""

# teaches the walk of values what functions and classes are
from nbcache.keys import callables as _callables

__all__: list[str] = []
del _callables
