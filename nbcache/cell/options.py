"""What a ``%%cached`` line asks for, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["CellOptions"]


@dataclass(frozen=True, slots=True)
class CellOptions:
    """The options of one cell.

    Parameters
    ----------
    name : str
        '' for the first names that the cell assigns.
    only, skip : tuple of str
        Names to store alone; names not to store.
    ignore : tuple of str
        Inputs to leave out of the key.
    opaque : tuple of str
        Inputs that carry no state: only their types belong to the key.
    deps : tuple of str
        Expressions whose values belong to the key.
    files : tuple of str
        Paths and globs of files whose content belongs to the key.
    refresh, output, compress : bool
        Run in any case; replay outputs on a hit; deflate the entry.
    expires_after : float, optional
        s after which the entry is stale; None for never.
    min_seconds : float
        s; what took less is not stored.
    keep : int
        Code versions of the name in its notebook that are kept; 0 for all.
    rng : {'keep', 'refuse', 'ignore'}
        What becomes of values that nobody seeded, see `randomness`.
    private : bool
        Keep no summaries of values in the entry, and never share it.
    trust_magics : bool
        Keep the cell though magics that are not known may read anything.
    statement : bool
        Whether it is the statement of a ``%cached``.
    """

    name: str = ""
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    refresh: bool = False
    output: bool = True
    compress: bool = False
    expires_after: float | None = None
    min_seconds: float = 0.0
    keep: int = 0
    rng: str = "keep"
    private: bool = False
    trust_magics: bool = False
    statement: bool = False

    def wanted(self, values: dict[str, Any]) -> dict[str, Any]:
        """Give the values, by name, that are to be stored."""
        if self.only:
            values = {name: values[name] for name in self.only if name in values}
        return {name: value for name, value in values.items() if name not in self.skip}

    def leaves_out(self, name: str) -> bool:
        """Say whether a name, or what became of an input, is not to be stored."""
        return name in self.skip or bool(self.only and name not in self.only)

    def to_json(self) -> dict[str, Any]:
        """Give them as plain data, so that the entry can be computed again."""
        plain = asdict(self)
        del plain["refresh"]
        return {
            name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any], **other: Any) -> CellOptions:
        """Read them back from an entry."""
        names = set(cls.__dataclass_fields__)
        given = {name: value for name, value in plain.items() if name in names}
        lists = {name: tuple(v) for name, v in given.items() if isinstance(v, list)}
        return cls(**{**given, **lists, **other})
