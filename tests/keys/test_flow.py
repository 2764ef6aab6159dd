"""What a cell reads before assignment, binds and deletes."""

import ast

import pytest

from nbcache.keys import flow, uses


def reads(text: str) -> set[str]:
    return set(flow.analyse(ast.parse(text)).reads)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y = x + 1", {"x"}),
        ("x = 1\ny = x", set()),
        ("x += 1", {"x"}),
        ("del x", {"x"}),
        ("x[0] = 1", {"x"}),
        ("x.a = 1", {"x"}),
        ("if c:\n    x = 1\nelse:\n    x = 2\nx", {"c"}),
        ("if c:\n    x = 1\nx", {"c", "x"}),
        ("for i in r:\n    t = i\nt", {"r", "t"}),
        ("while c:\n    t = 1\nt", {"c", "t"}),
        (
            "try:\n    x = f()\nexcept ValueError:\n    pass\nx",
            {"f", "ValueError", "x"},
        ),
        ("try:\n    x = f()\nexcept ValueError:\n    raise\nx", {"f", "ValueError"}),
        ("try:\n    x = f()\nfinally:\n    x", {"f", "x"}),
        ("with m() as h:\n    x = 1\nh", {"m"}),
        ("with m():\n    x = 1\nx", {"m", "x"}),
        ("f = lambda a: a + b", {"b"}),
        ("def f(a, k=d):\n    return a + g", {"d", "g"}),
        ("def f():\n    return f()", set()),
        ("[i * k for i in xs]", {"k", "xs"}),
        ("[i for i in xs if (y := i)]\ny", {"xs", "y"}),
        ("class A(B):\n    z = q\n    def m(self):\n        return w", {"B", "q", "w"}),
        ("a and (x := 1)\nx", {"a", "x"}),
        ("x = 1 if c else d", {"c", "d"}),
        ("match v:\n    case [a, *b]:\n        a\nb", {"v", "b"}),
        ("import a.b\na.b.c", set()),
        ("from m import f\nf(x)", {"x"}),
        ("x: int = y", {"int", "y"}),
        ("x: T\nx", {"T", "x"}),
        ("global g\ng = 1\ng", set()),
        ("print(f'{v:{w}}')", {"print", "v", "w"}),
    ],
)
def test_names_read_before_assignment(text, expected):
    """A name counts as read unless every way to the place has assigned it."""
    assert reads(text) == expected


def test_attribute_chains_are_kept():
    """Of a module only the attributes used matter, so chains are told apart."""
    found = flow.analyse(ast.parse("pkg.mod.f(1)\npkg.other\nq.x\nq"))
    assert found.reads == {"pkg": {"mod.f", "other"}, "q": None}


def test_a_function_body_contributes_chains():
    """A nested function that uses one attribute of a module reads just that."""
    found = flow.analyse(ast.parse("def f():\n    return mod.a + mod.b.c"))
    assert found.reads == {"mod": {"a", "b.c"}}


def test_binds_and_deletes():
    """Every form of binding is seen, deletions too."""
    text = "import a\nb = 1\nfor c in []: pass\ndef d(): pass\nclass e: pass\ndel b"
    found = flow.analyse(ast.parse(text))
    assert found.stores == {"a", "b", "c", "d", "e"}
    assert found.deletes == {"b"}


@pytest.mark.parametrize(
    "text",
    [
        "0 < x < (n := 3)\nn",
        "assert x, (n := 3)\nn",
        "x and (n := 3)\nn",
        "q = 'a > @n'\nif x: n = 3\ndf.query(q)",
        "q = 'a > @n'\ndf.query(q)\nn = 3",
    ],
)
def test_what_is_perhaps_bound_before_it_is_read_is_read(text):
    """Operands and messages may not run; texts for queries name variables."""
    assert "n" in flow.analyse(ast.parse(text)).reads


def test_names_bound_before_the_first_query():
    """Only these are certainly not what a text from elsewhere names."""
    text = "k = 1\nif k: j = 2\ndf.query(text)\ni = 3"
    assert flow.analyse(ast.parse(text)).queried == {"k"}
    assert flow.analyse(ast.parse("k = 1")).queried is None


def test_names_that_functions_inside_delete():
    """Those of the module only."""
    text = "def f():\n    global a, b\n    c = 1\n    del a, c"
    assert flow.analyse(ast.parse(text)).late_deletes == {"a"}


def test_reading_where_a_name_error_is_swallowed_is_guarded():
    """Such a name's absence would not have ended the cell."""
    guarded = "try:\n    x\nexcept NameError:\n    pass\nx = 1"
    assert flow.analyse(ast.parse(guarded)).guarded == {"x"}
    plain = "for i in r:\n    x = i\nprint(x)"
    assert flow.analyse(ast.parse(plain)).guarded == set()
    other = "try:\n    x\nexcept KeyError:\n    pass\nx = 1"
    assert flow.analyse(ast.parse(other)).guarded == set()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("calls.append(x)", {"calls"}),
        ("global n\n    n += 1", {"n"}),
        ("log[x] = 1", {"log"}),
        ("calls.append(x)\n    return len(calls)", set()),
        ("return calls.append(x)", set()),
        ("memo[x] = memo.get(x, 0)", set()),
    ],
)
def test_globals_only_written_to(body, expected):
    """A counter's own value never reaches the result; anything else is read."""
    tree = ast.parse(f"def f(x):\n    {body}").body[0]
    assert uses.write_only_globals(tree) & {"calls", "n", "log", "memo"} == expected


def test_environment_variables_named_by_a_literal():
    """All spellings of reading a variable are found."""
    text = (
        "os.environ['A']\nos.environ.get('B')\nos.getenv('C')\ngetenv('D', 1)\n"
        "environ['E']\nos.environ[name]"
    )
    assert uses.environment_reads(ast.parse(text)) == set("ABCDE")


def test_imports_at_any_depth():
    """Imports inside functions count as those at the top."""
    text = "import a.b\ndef f():\n    from c import d, e\nfrom . import g"
    found = uses.imported_modules(ast.parse(text))
    assert set(found) == {("a.b", 0, ()), ("c", 0, ("d", "e")), ("", 1, ("g",))}
