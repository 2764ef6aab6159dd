"""Cells that import a module of the user's and change it: a hit changes it again."""

import pytest
from kinds import Case, Kinds, verify

MODULE = """
STATE, TABLE, FACTOR = [1], {"n": 0}, 2
class Meter:
    total = 0
    def __init__(self, start=0):
        self.value = start
    def add(self, x):
        self.value += x
        Meter.total += x
        return self
def set_factor(x):
    global FACTOR
    FACTOR = x
def remember(x):
    STATE.append(x)
    return len(STATE)
def scale(x):
    return x * FACTOR
"""
AFTER = (
    "import impmod; impmod.STATE, impmod.TABLE, impmod.scale(1), impmod.Meter.total, "
    "sorted(vars(impmod))[-3:], vars(impmod.scale), impmod.scale.__defaults__"
)
CELLS = {
    "an item": "import impmod; impmod.TABLE['n'] += 1",
    "a list, by a function": "import impmod\nn = impmod.remember(4)",
    "a global, by a function": "import impmod; impmod.set_factor(5)",
    "an attribute": "import impmod as m\nm.FACTOR = 3",
    "a new attribute": "import impmod\nimpmod.zeta = [1]",
    "an attribute of a class": "from impmod import Meter\nMeter.total += 7",
    "instances that change their class": (
        "import impmod\nm = impmod.Meter(1).add(2)\nm.add(3)"
    ),
    "an attribute of a function": "from impmod import scale; f = scale; f.note = [2]",
    "defaults of a function": "import impmod\nimpmod.scale.__defaults__ = (3,)",
    "names of it": "from impmod import remember, STATE\nremember(3)\nz = STATE",
}


def case(cell: str, number: int) -> Case:
    """Give a case with a module of its own: all run in one kernel."""
    name = f"impmod{number}"
    return Case(
        "%%cached a\n" + cell.replace("impmod", name),
        after=AFTER.replace("impmod", name),
        files={f"{name}.py": MODULE},
    )


CASES = {name: case(cell, number) for number, (name, cell) in enumerate(CELLS.items())}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """Give the place where the cases run."""
    return Kinds(tmp_path_factory.mktemp("kinds"), CASES)


@pytest.mark.parametrize("name", CASES)
def test_what_becomes_of_an_imported_module_is_restored(kinds, name):
    """Seen plain, cold and warm."""
    verify(kinds, name)
