"""What is remembered of a syntax tree belongs to that tree; nobody can change it."""

import ast
import gc
import weakref

from nbcache.cell.definitions import repeated_nodes
from nbcache.keys import flow, uses
from nbcache.keys.trees import of_tree

CODE = "import os\nx = a.b\ny = os.environ.get('HOME')\ndef f():\n    return x"


def test_each_caller_may_change_what_it_gets():
    """The next one gets the same as the first."""
    tree = ast.parse(CODE)
    for _ in range(3):
        found = flow.analyse(tree)
        assert found.reads == {"a": {"b"}}
        assert found.stores == {"os", "x", "y", "f"}
        found.reads["a"].add("spoilt")
        found.reads["z"] = None
        found.stores.clear()
        assert uses.imported_modules(tree) == [("os", 0, ())]
        uses.imported_modules(tree).clear()
        nodes, names = repeated_nodes(tree)
        assert (len(nodes), names) == (2, {"os", "f"})
        nodes.clear()
        names.clear()


def test_other_arguments_have_other_answers():
    """An option of the question counts."""
    tree = ast.parse("import os\nos.environ['A'] = 'x'\nos.environ['B']")
    assert uses.environment_reads(tree) == {"A", "B"}
    assert uses.environment_reads(tree, stores=False) == {"B"}


def test_equal_trees_are_two():
    """By identity: another tree of the same text is asked anew."""
    asked = []

    @of_tree
    def ask(tree):
        asked.append(tree)
        return len(asked)

    one, two = ast.parse("1"), ast.parse("1")
    assert [ask(one), ask(two), ask(one)] == [1, 2, 1]


def test_a_tree_is_not_kept_alive():
    """It goes with the cell, and its answers with it."""
    tree = ast.parse(CODE)
    flow.analyse(tree)
    repeated_nodes(tree)
    gone = weakref.ref(tree)
    del tree
    gc.collect()
    assert gone() is None
