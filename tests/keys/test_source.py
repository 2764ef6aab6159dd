"""The normal form of running code."""

import ast
import linecache

import pytest

from nbcache.keys import source

SAME = [
    ("def f(x):\n    return x + 1", "def f(x):\n\n    # why\n    return (x+1)"),
    ("def f(x):\n    return 'a'", 'def f(x):\n    """Doc."""\n    return "a"'),
    ("def f(x):\n    return x", "def g(x):\n    return x"),
    ("f = lambda x: x", "\n\n\nf = lambda x:   x"),
    (
        "def f(x):\n    if x: return 1\n    return 2",
        "def f(x):\n    if x:\n        return 1\n    return 2",
    ),
]
OTHER = [
    ("def f(x):\n    return x + 1", "def f(x):\n    return x + 2"),
    ("def f(x):\n    return 1", "def f(x):\n    return 1.0"),
    ("def f(x):\n    return 1", "def f(x):\n    return True"),
    ("def f(x):\n    return x", "def f(y):\n    return y"),
    ("def f(x):\n    return x", "def f(*x):\n    return x"),
    ("def f(x):\n    return x", "async def f(x):\n    return x"),
    ("def f(x):\n    return [i for i in x]", "def f(x):\n    return {i for i in x}"),
    ("def f(x):\n    return x in {1, 2}", "def f(x):\n    return x in {1, 3}"),
    ("def f(x):\n    return x < 1", "def f(x):\n    return x > 1"),
    ("def f(x):\n    return x.a", "def f(x):\n    return x.b"),
]
_numbers = iter(range(10**6))


def defined(text: str, *, with_source: bool):
    """Execute a definition, with or without its text to be found."""
    name = f"<test-{next(_numbers)}>"
    if with_source:
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    namespace: dict = {}
    exec(compile(text, name, "exec"), namespace)
    return next(
        value.__code__ for value in namespace.values() if hasattr(value, "__code__")
    )


@pytest.mark.parametrize("with_source", [True, False])
@pytest.mark.parametrize(("one", "other"), SAME)
def test_layout_comments_docstrings_and_names_do_not_matter(one, other, with_source):
    """Two spellings of one function have one digest."""
    first = defined(one, with_source=with_source)
    second = defined(other, with_source=with_source)
    assert source.code_digest(first) == source.code_digest(second)


@pytest.mark.parametrize("with_source", [True, False])
@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_the_code_does_matters(one, other, with_source):
    """Any difference that could be observed gives another digest."""
    first = defined(one, with_source=with_source)
    second = defined(other, with_source=with_source)
    assert source.code_digest(first) != source.code_digest(second)


def test_text_that_does_not_compile_to_the_code_is_not_believed():
    """A file edited after its import must not give running code a new identity."""
    old = defined("def f(x):\n    return 1", with_source=False)
    text = "def f(x):\n    return 2\n"
    linecache.cache[old.co_filename] = (
        len(text),
        None,
        text.splitlines(True),
        old.co_filename,
    )
    assert source.function_node(old) is None
    new = defined(text, with_source=False)
    assert source.code_digest(old) != source.code_digest(new)


def test_the_first_digest_holds_while_the_code_lives():
    """Whatever becomes of the file afterwards."""
    text = "def f(x):\n    return 1\n"
    code = defined(text, with_source=True)
    before = source.code_digest(code)
    linecache.cache.pop(code.co_filename)
    assert source.code_digest(code) == before


def test_two_lambdas_on_a_line_are_told_apart():
    """They have one place and one name, so their code itself decides."""
    name = "<two-lambdas>"
    text = "a, b = lambda x: x + 1, lambda x: x + 2\n"
    linecache.cache[name] = (len(text), None, [text], name)
    namespace: dict = {}
    exec(compile(text, name, "exec"), namespace)
    first = source.code_digest(namespace["a"].__code__)
    assert first != source.code_digest(namespace["b"].__code__)


def test_digesting_leaves_the_tree_alone():
    """The tree of a cell is compiled after it was digested."""
    tree = ast.parse("def f():\n    'doc'\n    return 1")
    before = ast.dump(tree, include_attributes=True)
    source.tree_digest(tree)
    assert ast.dump(tree, include_attributes=True) == before
