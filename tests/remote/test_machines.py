"""Two machines with one secret: what one computed, the other finds."""

ADD = """
@cache.cached
def add(a, b):
    print("computed")
    return np.full(1000, a + b)

print(add({0}, 2).sum())
"""


def test_what_one_machine_computed_the_other_finds(bucket):
    """The second machine has an empty folder, and does not compute."""
    assert bucket.run("one", ADD.format(1)) == "computed\n3000"
    assert bucket.run("two", ADD.format(1)) == "3000"
    assert bucket.run("two", ADD.format(5)) == "computed\n7000"


def test_what_was_fetched_is_served_from_the_folder_afterwards(bucket):
    """The second hit on a machine asks nobody."""
    bucket.run("one", ADD.format(1))
    bucket.run("two", ADD.format(1))
    for name in bucket.names():
        bucket.put(name, b"gone")
    assert bucket.run("two", ADD.format(1)) == "3000"


def test_results_found_through_traces_travel(bucket):
    """A function that reads a file is looked up in two steps, on each machine."""
    data = bucket.folder / "data.txt"
    data.write_text("7")
    code = f"""
    @cache.cached
    def read():
        print("computed")
        with open({str(data)!r}) as file:
            return int(file.read())

    print(read())
    """
    assert bucket.run("one", code) == "computed\n7"
    assert bucket.run("two", code) == "7"
    assert bucket.run("two", code) == "7"
    data.write_text("8")
    assert bucket.run("two", code) == "computed\n8"
    assert bucket.run("one", code) == "8"
    data.write_text("7")
    assert bucket.run("three", code) == "7"


def test_of_two_machines_that_ask_at_once_one_computes(bucket):
    """The other waits for it, and takes its result."""
    code = """
    @cache.cached
    def slow():
        print("computed")
        time.sleep(2)
        return os.getpid()

    print("value", slow())
    """
    processes = [bucket.start(f"machine{n}", code) for n in range(3)]
    found = [process.communicate(timeout=120) for process in processes]
    assert [error for _, error in found if "Traceback" in error] == []
    out = "".join(text for text, _ in found)
    assert out.count("computed") == 1
    assert len({line for line in out.splitlines() if "value" in line}) == 1
    assert bucket.names("leases/") == []


def test_a_refreshed_result_replaces_the_shared_one(bucket):
    """A third machine sees the new one."""
    code = """
    @cache.cached(refresh={})
    def when():
        return time.time()

    print(when())
    """
    first = bucket.run("one", code.format(False))
    second = bucket.run("two", code.format(True))
    assert first != second
    assert bucket.run("three", code.format(False)) == second


def test_results_of_cells_travel(bucket):
    """A cell's variables and outputs are a hit on the other machine."""
    code = f"""
    from IPython.core.interactiveshell import InteractiveShell
    nbcache.configure(remote={bucket.url!r}, dir=cache.directory)
    shell = InteractiveShell.instance()
    nbcache.load_ipython_extension(shell)
    shell.run_cell("%%cached fit\\nimport time\\nprint('ran')\\nx = time.time()")
    print(shell.user_ns["x"], nbcache.last().hit)
    """
    first = bucket.run("one", code).split()
    second = bucket.run("two", code).split()
    assert first[0] == second[0] == "ran"
    assert first[1] == second[1]
    assert (first[2], second[2]) == ("False", "True")
