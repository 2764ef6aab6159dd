"""Settings: where they are looked for, in which order, and what is wrong."""

import json
import os
import subprocess
import sys

import pytest

from nbcache import config

SHOW = (
    "import json, dataclasses\nfrom nbcache import config\n"
    "print(json.dumps([dataclasses.asdict(config.current()), str(config.cache_dir())]))"
)


def settings_in(folder, code=SHOW, **environment):
    """Give the settings and the cache folder of a process that starts in a folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NBCACHE_")}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found, path = json.loads(ran.stdout)
    return found, path, ran.stderr


def test_the_order_of_the_sources(tmp_path):
    """`configure`, then environment, pyproject and default."""
    text = '[tool.nbcache]\nverbosity = "full"\ncompress = true\nverify = "always"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    code = SHOW.replace("print", "config.configure(verify='never')\nprint", 1)
    found, _, told = settings_in(tmp_path, code, NBCACHE_VERBOSITY="quiet")
    assert (found["verify"], found["verbosity"], found["compress"]) == (
        "never",
        "quiet",
        True,
    )
    assert found["durability"] == "auto"
    assert told == ""


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ('[tool.nbcache]\nverify = "maybe"\n', {}, "verify is one of"),
        ("[tool.nbcache]\nfrobnicate = 1\n", {}, "no setting 'frobnicate'"),
        ("[tool.nbcache\n", {}, "was not read"),
        ("", {"NBCACHE_ENABLED": "perhaps"}, "enabled is on or off"),
    ],
)
def test_what_is_wrong_is_said_and_left_out(tmp_path, text, environment, expected):
    """One warning, and the default holds."""
    (tmp_path / "pyproject.toml").write_text(text)
    found, _, told = settings_in(tmp_path, **environment)
    assert expected in told
    assert found == {name: row[2] for name, row in config.describe().items()}


def test_the_nearest_cache_upward_is_used(tmp_path):
    """From the folder of the start; else one there, which is not made yet."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert settings_in(below)[1] == str(below / ".nbcache")
    assert not (below / ".nbcache").exists()
    (tmp_path / ".nbcache").mkdir()
    assert settings_in(below)[1] == str(tmp_path / ".nbcache")
    assert settings_in(below, NBCACHE_DIR="x")[1] == str(below / "x")


def test_configure_refuses_what_is_no_setting():
    """And changes nothing then."""
    before = config.current()
    with pytest.raises(ValueError, match="no setting 'colour'"):
        config.configure(colour="red")
    with pytest.raises(ValueError, match="verbosity is one of"):
        config.configure(compress=True, verbosity="loud")
    assert config.current() == before


def test_using_holds_inside_a_block():
    """Also when the block raises."""

    def fail():
        with config.using(compress=True):
            assert config.current().compress
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not config.current().compress
