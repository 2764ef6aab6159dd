"""The tests of hostile stores notice each defence that is taken away.

A copy of the package without it runs the case that is named for it; the case must then
do its harm.  The last row takes nothing away: the harm must come from the mutation.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trust.arena import Arena
from trust.scene import Scene
from trust.test_hostile import CASES

import nbcache

pytestmark = pytest.mark.slow

ACCEPTANCE, READ, FLAGS = "acceptance.py", "npz_read.py", "plain_files.py"
MUTANTS = {
    "the digest": (
        READ,
        "if hasher.hexdigest() != self.trailer.digest:",
        "if False:",
        "T3 swapped body",
    ),
    "the key": (
        ACCEPTANCE,
        "if trailer.key != key:",
        "if False:",
        "T3 copied to another key",
    ),
    "the HMAC": (
        ACCEPTANCE,
        "is_mine = known or trust.signer().is_mine(",
        "is_mine = True or trust.signer().is_mine(",
        "T1 pickle",
    ),
    "the HMAC of plain values": (
        ACCEPTANCE,
        "is_mine = known or trust.signer().is_mine(",
        "is_mine = True or trust.signer().is_mine(",
        "T2 signature of a stranger",
    ),
    "O_NOFOLLOW": (
        FLAGS,
        '| getattr(os, "O_NOFOLLOW", 0)',
        "",
        "T6 link to a signed entry",
    ),
    "nothing": (READ, "", "", "T1 pickle"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("gone", MUTANTS)
def test_a_missing_defence_is_noticed(home, tmp_path, gone):
    """The named case does harm without it."""
    name, old, new, case = MUTANTS[gone]
    package = tmp_path / "package"
    shutil.copytree(Path(nbcache.__file__).parent, package / "nbcache")
    module = package / "nbcache" / "storage" / name
    text = module.read_text()
    assert old in text
    module.write_text(text.replace(old, new, 1) if old else text)
    arena = Arena(home, tmp_path, package)
    try:
        template = tmp_path / "template"
        (tmp_path / "data.txt").write_text("fresh")
        assert arena.run(template, calls=[2, 3])["error"] is None
        arena.run(template, function="traced")
        scene = Scene(template, tmp_path)
        scene.home = home
        make, more = CASES[case]
        make(scene)
        more = {name: value for name, value in more.items() if name != "levels"}
        if gone == "the key":
            more |= {"calls": [], "load": [scene.key]}
        found = arena.run(scene.store, **more)
        harmed = arena.mark.exists() or found["values"] not in (
            found["right"],
            ["refused"],
        )
    finally:
        arena.close()
    assert harmed == (gone != "nothing"), found


REUSED = """
import sys, uuid
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from nbcache.storage import folder
place = folder.Folder(Path(sys.argv[1]))
place.make()
uuid.uuid4 = lambda: uuid.UUID(int=5)
with place.temporary() as (_, path):
    pass
path.write_text("precious")
try:
    with place.temporary() as (file, _):
        kept = path
        print(path.read_text())
except FileExistsError:
    print("refused")
"""


@pytest.mark.parametrize("gone", [False, True])
def test_a_temporary_is_never_reused(tmp_path, gone):
    """What stands in the place of a temporary was put there by somebody else."""
    package = tmp_path / "package"
    shutil.copytree(Path(nbcache.__file__).parent, package / "nbcache")
    module = package / "nbcache" / "storage" / FLAGS
    text = module.read_text()
    assert "| os.O_EXCL" in text
    if gone:
        module.write_text(text.replace("| os.O_EXCL", "", 1))
    found = subprocess.run(
        [sys.executable, "-c", REUSED, str(tmp_path / "store"), str(package)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (found.stdout.strip() == "refused") is not gone
