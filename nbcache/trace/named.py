"""Files that code names by a text, or gets as a path.

Native readers (parquet, HDF5, polars, duckdb) open files unheard by any audit hook;
whether a path exists is asked unheard as well.
"""

from __future__ import annotations

import ast
import glob
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from types import CodeType

__all__ = ["Named", "look_at"]

_QUOTED = re.compile(r"'([^'\n]{1,1000})'|\"([^\"\n]{1,1000})\"")
_PATTERN = re.compile(r"[^*?\[]*[*?\[].*\.\w+")
_LONGEST = 1000
_MOST_PAIRS = 400
_MOST_ITEMS = 10_000
_ASK_EXISTENCE = frozenset(
    {"exists", "isfile", "isdir", "is_file", "is_dir", "lexists", "access"}
)
_ASK_STAT = frozenset({"stat", "lstat", "getsize", "getmtime", "getctime"})
_ASK_FOLDER = frozenset({"getcwd", "getcwdb", "cwd", "__file__", "resolve", "absolute"})
_READ_FOLDERS = frozenset(
    {
        *("read_parquet", "scan_parquet", "ParquetDataset", "dataset", "read_table"),
        *(
            "open_zarr",
            "open_dataset",
            "open_mfdataset",
            "open_group",
            "load_from_disk",
        ),
        *("read_delta", "scan_delta", "open_array"),
    }
)
_READ_MANY = _READ_FOLDERS | {
    *("read_csv", "scan_csv", "read_ndjson", "scan_ndjson", "read_ipc", "scan_ipc"),
    *("read_json", "sql", "query", "execute", "read_csv_auto", "from_csv_auto"),
}


@dataclass(slots=True)
class Named:
    """Texts and words of code, and paths among the values that it reads.

    Attributes
    ----------
    texts, words : set of str
        Constants; names and attributes.
    paths : set of str
        Values that may be paths.
    """

    texts: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)

    def add_tree(self, tree: ast.AST) -> None:
        """Enter the code of a cell."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.texts.add(node.value)
            elif isinstance(node, ast.Attribute):
                self.words.add(node.attr)
            elif isinstance(node, ast.Name):
                self.words.add(node.id)

    def add_code(self, code: CodeType) -> None:
        """Enter the code of a function, and of those inside it."""
        self.words.update(code.co_names)
        for constant in code.co_consts:
            if isinstance(constant, str):
                self.texts.add(constant)
            elif isinstance(constant, CodeType):
                self.add_code(constant)

    def add_values(self, values: Iterable[object]) -> None:
        """Enter inputs: texts, paths, and plain containers of these."""
        queue = list(values)
        for number in range(_MOST_ITEMS):
            if number >= len(queue):
                break
            value = queue[number]
            if isinstance(value, str):
                self.paths.add(value)
            elif isinstance(value, PurePath):
                self.paths.add(str(value))
            elif isinstance(value, list | tuple | set | frozenset):
                queue.extend(itertools.islice(value, _MOST_ITEMS))
            elif isinstance(value, dict):
                queue.extend(itertools.islice(value.values(), _MOST_ITEMS))

    def candidates(self) -> Iterator[str]:
        """Give all texts that may be paths: alone, quoted in a query, or joined."""
        alone = {text for text in self.texts | self.paths if _may_be_path(text)}
        yield from sorted(alone)
        for text in sorted(self.texts | self.paths):
            if " " in text and len(text) < 100 * _LONGEST:
                for match in _QUOTED.finditer(text):
                    yield match[1] or match[2]
        folders = [text for text in sorted(alone) if os.path.isdir(text)]
        files = [text.lstrip("/") for text in sorted(alone)]
        pairs = itertools.product(folders, files)
        for folder, file in itertools.islice(pairs, _MOST_PAIRS):
            yield os.path.join(folder, file)


def _may_be_path(text: str) -> bool:
    return 0 < len(text) < _LONGEST and "\n" not in text and "\0" not in text


def look_at(named: Named) -> tuple[list[str], list[tuple[str, str]]]:
    """Give the files that code names, and what else of the file system it asks for.

    Returns
    -------
    files : list of str
        Paths of files that are there.
    others : list of (kind, name)
        Observations to make.
    """
    files: list[str] = []
    others: list[tuple[str, str]] = []
    for path in dict.fromkeys(named.candidates()):
        if os.path.isfile(path):
            files.append(path)
            if named.words & _ASK_STAT:
                others.append(("stat", path))
        elif os.path.isdir(path):
            if named.words & _READ_FOLDERS:
                others.append(("tree", path))
        elif _PATTERN.fullmatch(path):
            others.append(("matches", path))
            if named.words & _READ_MANY:
                found = glob.iglob(path, recursive=True)
                files.extend(itertools.islice(found, _MOST_ITEMS))
        if named.words & _ASK_EXISTENCE and _looks_like_path(path):
            others.append(("exists", path))
    if named.words & _ASK_FOLDER:
        others.append(("folder", ""))
    return files, others


def _looks_like_path(text: str) -> bool:
    return " " not in text or os.path.exists(text)
