"""The options of `%%cached`: each does what its help says."""

import pytest


def test_opaque_inputs_count_by_their_type_alone(notebook):
    """A connection or lock is no obstacle, and its state does not matter."""
    notebook("import threading\nlock = threading.Lock()\nbox = {'lock': lock, 'n': 1}")
    notebook("%%cached a --opaque lock\ny = (lock.locked(), box['n'])")
    assert notebook.last()["stored"]
    notebook("lock.acquire()")
    notebook("%%cached a --opaque lock\ny = (lock.locked(), box['n'])")
    assert notebook.last()["hit"]
    notebook("box['n'] = 2\n")
    notebook("%%cached a --opaque lock\ny = (lock.locked(), box['n'])")
    assert not notebook.last()["hit"]
    notebook("lock = threading.RLock()")
    notebook("%%cached a --opaque lock,box\ny = (lock, box)")
    assert notebook.last()["stored"]


def test_a_result_may_be_the_opaque_input_itself(notebook):
    """A hit binds the object of today."""
    notebook("import threading\nlock = threading.Lock()")
    for hit in (False, True):
        notebook("%%cached a --opaque lock\nholder = [lock, 1]")
        assert notebook.last()["hit"] == hit
        assert notebook.value("holder[0] is lock") == "True"
        notebook("del holder\nlock = threading.Lock()")


def test_without_opaque_such_an_input_is_refused(notebook):
    """And the line says so."""
    notebook("import threading\nlock = threading.Lock()")
    assert "lock" in notebook("%%cached a\ny = lock.locked()").stderr
    assert not notebook.last()["stored"]


def test_files_count_by_content(notebook, tmp_path):
    """Changed back, the first result is there again; names of files count too."""
    data = tmp_path / "data.csv"
    cell = "%%cached a --file data.csv --file 'sub/*.txt'\nx = 1"
    seen = []
    for text in ("one", "two", "one"):
        data.write_text(text)
        notebook(cell)
        seen.append(notebook.last()["hit"])
    assert seen == [False, False, True]
    assert "file data.csv" in notebook("%nbcache info a").stdout
    assert "file sub/*.txt: absent" in notebook("%nbcache info a").stdout
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("")
    notebook(cell)
    assert "file sub/b.txt is there now" in notebook.last()["changes"]


def test_a_file_dependency_in_deps(notebook, tmp_path):
    """`File` is a value like others."""
    notebook("from nbcache import File")
    seen = []
    for text in ("one", "two", "one"):
        (tmp_path / "d.bin").write_text(text)
        notebook("%%cached a --deps File('d.bin')\nx = 1")
        seen.append(notebook.last()["hit"])
    assert seen == [False, False, True]


def test_ttl_is_kept_with_the_entry(notebook):
    """In seconds; the setting stands for it, and never takes that back."""
    notebook("%%cached a --ttl 12h\nx = 1")
    notebook("nbcache.configure(expires_after='2d')")
    notebook("%%cached b\nx = 2")
    notebook("%%cached c --ttl never\nx = 3")
    shown = notebook.value(
        "[e.expires_after for e in nbcache.Cache().core.store.entries()]"
    )
    assert shown == "[None, 172800.0, 43200.0]"


def test_ttl_makes_old_results_stale(notebook):
    """By the option of today; a longer one takes the same entry."""
    notebook("%%cached a --ttl 0s\nx = 1")
    notebook("%%cached a --ttl 0s\nx = 1")
    assert notebook.last()["reason"] == "expired"
    assert "would run: expired" in notebook("%%cached a -n --ttl 0s\nx = 1").stdout
    notebook("%%cached a --ttl 1h\nx = 1")
    assert notebook.last()["hit"]


def test_min_time_leaves_short_runs_out(notebook):
    """Without a warning; the setting stands for the option."""
    assert notebook("%%cached a --min-time 1h\nx = 1").stderr == ""
    assert not notebook.last()["stored"]
    notebook("nbcache.configure(min_seconds='1h')")
    notebook("%%cached a\nx = 1")
    assert not notebook.last()["stored"]
    notebook("%%cached a --min-time 0\nx = 1")
    assert notebook.last()["stored"]


def test_rng_decides_on_random_numbers_that_nobody_seeded(notebook):
    """Kept with a line that says so, refused, or kept like any others."""
    notebook("import random")
    body = "x = random.random()"
    assert "nobody seeded" in notebook(f"%%cached a\n{body}").stderr
    assert notebook.last()["stored"]
    notebook(f"%%cached b --rng refuse\ny = 2\n{body}")
    assert not notebook.last()["stored"]
    assert notebook(f"%%cached c --rng ignore\ny = 3\n{body}").stderr == ""
    assert notebook.last()["stored"]


def test_a_condition_that_is_false_leaves_the_cell_alone(notebook):
    """It runs; nothing is looked up or stored."""
    notebook("n = 1")
    cell = "%%cached a --if \"n > 1 and 'x' != '\"\nprint('ran')\ny = n"
    assert notebook.wrong(cell).startswith("--if n > 1 and")
    cell = '%%cached a --if "n > 1"\nprint("ran")\ny = n'
    before = notebook.count()
    for _ in range(2):
        assert notebook(cell).stdout == "ran\n"
    assert notebook.count() == before
    notebook("n = 2")
    notebook(cell)
    assert notebook.last()["stored"]


def test_keep_deletes_older_code_versions(notebook):
    """Of this name; other inputs of a version that stays are kept."""
    notebook("n = 1")
    notebook("%%cached a\ny = n")
    notebook("%%cached a\ny = n + 1")
    notebook("%%cached b\ny = n + 3")
    notebook("%%cached a --keep 2\ny = n + 2")
    notebook("n = 5")
    notebook("%%cached a --keep 2\ny = n + 2")
    names = "[(e.name, e.source.splitlines()[-1]) for e in nbcache.Cache().core.store"
    assert notebook.value(f"{names}.entries()]").replace("\n", "") == (
        "[('a', 'y = n + 2'), ('a', 'y = n + 2'), ('b', 'y = n + 3'),"
        " ('a', 'y = n + 1')]"
    )


def test_private_entries_hold_no_summaries(notebook, tmp_path):
    """Neither in the entry nor in what is noted of a miss."""
    for secret in ("hunter2", "hunter3"):
        notebook(f"word = {secret!r}")
        notebook("%%cached a --private\nsize = len(word)")
    assert notebook.last()["changes"] == ["input 'word' changed"]
    notebook("nbcache.Cache().close()")
    assert "hunter" not in notebook("%nbcache info a").stdout
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert not any(b"hunter" in path.read_bytes() for path in files)


def test_trusted_magics_are_no_obstacle(notebook):
    """Neither the magic nor the code in its text; `eval` in the cell still is."""
    notebook("from IPython.core.magic import register_line_magic")
    notebook("@register_line_magic\ndef hush(line):\n    return None")
    assert "--trust-magics" in notebook("%%cached a\n%hush 1\nx = 1").stderr
    assert not notebook.last()["stored"]
    notebook("%%cached a --trust-magics\n%hush 1\nx = 1")
    assert notebook.last()["stored"]
    notebook("%%cached b --trust-magics\n%hush 1\nx = eval('1')")
    assert "eval() hides" in notebook.last()["refused"]


def test_another_store(notebook, tmp_path):
    """`--cache` writes there and nowhere else."""
    notebook(f"%%cached a --cache '{tmp_path / 'my other'}'\nx = 1")
    assert list((tmp_path / "my other" / "entries").rglob("*.npz"))
    assert notebook.value("len(nbcache.entries())") == "0"


def test_options_as_settings_compress_and_replay(notebook):
    """A flag of the magic goes before the setting, the setting before the default."""
    notebook("nbcache.configure(replay_output=False)")
    assert notebook("%%cached a\nprint('hello')").stdout == "hello\n"
    assert notebook("%%cached a\nprint('hello')").stdout == ""
    notebook("nbcache.configure(replay_output=None)")
    assert notebook("%%cached a\nprint('hello')").stdout == "hello\n"
    assert notebook("%%cached a --no-output\nprint('hello')").stdout == ""


FORETOLD = {
    "first run": ("", "b -n", "x = 1", "would run: first run"),
    "hit": ("", "a -n", "z = 9", "would come from the cache: stored 20"),
    "refresh": ("", "a -n -f", "z = 9", "would run: refreshed"),
    "changed": ("", "a -n", "z = 10", "would run: code changed"),
    "dynamic": ("", "a -n", "x = eval('1')", "and not be stored: eval() hides"),
    "magic": ("", "a -n", "%who", "and not be stored: what %who reads cannot"),
    "unhashable": (
        "import threading\nlock = threading.Lock()",
        "a -n",
        "x = lock",
        "and not be stored: input cannot be part of a key: lock",
    ),
    "condition": ("", "a -n --if False", "z = 9", "not be stored: --if False is"),
    "off": ("%nbcache off", "a -n", "z = 9", "and not be stored: the cache is off"),
    "read only": (
        "nbcache.configure(read_only=True)",
        "b -n",
        "x = 1",
        "would run: first run, and not be stored: read_only",
    ),
    "awaits": ("import asyncio", "b -n", "await asyncio.sleep(0)", "run: first run"),
}


@pytest.mark.parametrize("case", FORETOLD)
def test_a_dry_run_says_what_would_happen(notebook, case):
    """And runs nothing, stores nothing, warns of nothing."""
    before, options, body, expected = FORETOLD[case]
    notebook("%%cached a\nz = 9")
    notebook(f"del z\n{before}")
    count = notebook.count()
    ran = notebook(f"%%cached {options}\n{body}")
    assert expected in ran.stdout
    assert ran.stderr == ""
    assert notebook.count() == count
    assert notebook.value("'z' in globals() or 'x' in globals()") == "False"


WRONG = {
    "--skp x": "no option --skp. Did you mean '--skip'?",
    "a b": "one name, and 'b' besides",
    "--ttl soon": "--ttl: not a duration: 'soon'",
    "--ttl -5": "--ttl",
    "--min-time 1y": "--min-time: not a duration: '1y'",
    "--keep few": "--keep is a number from 0, not 'few'",
    "--rng maybe": "--rng is one of keep, refuse, ignore, not 'maybe'",
    "--only modle": "--only modle: the cell does not assign it. Did you mean 'model'?",
    "--skip modle": "--skip modle: the cell does not assign it. Did you mean 'model'?",
    "--ignore dta": "--ignore dta: the cell does not read it. Did you mean 'data'?",
    "--opaque dta": "--opaque dta: there is no such variable. Did you mean 'data'?",
    "--if dta": "--if dta: NameError: name 'dta' is not defined",
    "--if 1+": "--if 1+: ",
    "--deps data+": "--deps data+: ",
    "-f -r": "-f and -r contradict each other",
    "-n -r": "-n and -r contradict each other",
    "-q -v": "-q and -v contradict each other",
    "--if data -r": "--if and -r contradict each other",
    "-o model --skip model": "--only and --skip both name 'model'",
    "--ignore data --opaque data": "--ignore and --opaque both name 'data'",
    "-r": "no cell 'model' is cached",
    "'a": "No closing quotation",
}


@pytest.mark.parametrize("options", WRONG)
def test_wrong_use_is_refused_in_one_line_before_anything_runs(notebook, options):
    """With what was meant, where that can be guessed."""
    notebook("data = 3")
    line = notebook.wrong(f"%%cached {options}\nmodel = data")
    assert line.startswith(WRONG[options])
    assert notebook.value("'model' in globals()") == "False"


def test_names_that_only_helpers_bind_may_be_chosen(notebook):
    """They are not misspelt."""
    notebook("def helper():\n    global found\n    found = 3")
    notebook("%%cached a --only found\nhelper()")
    notebook("%%cached b --skip found\nhelper()\nx = 1")


def test_the_help_lists_all_options(notebook):
    """With what each does."""
    found = "get_ipython().magics_manager.magics['cell']['cached']"
    text = notebook(f"print({found}.__doc__)").stdout
    for option in ("--opaque", "--file", "--ttl", "--rng", "--if", "--min-time"):
        assert option in text
    assert "%cached model = fit(data)" in text
