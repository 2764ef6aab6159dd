"""Cells that read items of IPython's history: these items, not all of it."""

import pytest


@pytest.mark.parametrize("spelt", ["Out[{}]", "_oh[{}]", "_{}"])
def test_cell_that_reads_one_result_depends_on_that_alone(notebook, spelt):
    """Further results do not matter; this one does."""
    number = notebook("[6]").reply["execution_count"]
    item = spelt.format(number)
    cell = f"%%cached a\ny = {item}[0] + 1"
    notebook(cell)
    notebook("'another'")
    notebook(cell)
    assert notebook.last()["hit"]
    notebook(f"{item}[0] = 7")
    notebook(cell)
    assert not notebook.last()["hit"]
    assert notebook.value("y") == "8"


def test_result_comes_back_as_the_same_object(notebook):
    """After a hit as well."""
    number = notebook("[6]").reply["execution_count"]
    cell = f"%%cached a\ny = Out[{number}]"
    for hit in (False, True):
        notebook(cell)
        assert notebook.last()["hit"] is hit
        assert notebook.value(f"y is Out[{number}]") == "True"


def test_item_of_another_dictionary_of_that_name(notebook):
    """Where the user has called something else `Out`, all of it is read."""
    number = notebook("[6]").reply["execution_count"]
    notebook(f"Out = {{{number}: 1}}")
    cell = f"%%cached a\ny = Out[{number}]"
    notebook(cell)
    notebook(f"Out[{number}] = 2")
    notebook(cell)
    assert notebook.value("y") == "2"
    notebook("del Out")


def test_cell_that_reads_one_input_depends_on_that_alone(notebook):
    """Further cells do not matter."""
    number = notebook("6").reply["execution_count"]
    cell = f"%%cached a\ny = In[{number}]"
    notebook(cell)
    notebook(cell)
    assert notebook.last()["hit"]
    assert notebook.value("y") == "'6'"
