"""Settings: where they are looked for, in which order, and what is wrong."""

import json
import os
import subprocess
import sys
from datetime import timedelta

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


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("expires_after", "90s", 90.0),
        ("expires_after", "15m", 900.0),
        ("expires_after", "12h", 43200.0),
        ("expires_after", "7d", 604800.0),
        ("expires_after", "2w", 1209600.0),
        ("expires_after", "30", 30.0),
        ("expires_after", 30, 30.0),
        ("expires_after", timedelta(hours=1), 3600.0),
        ("expires_after", "never", None),
        ("lock_timeout", "never", None),
        ("min_seconds", "0.5", 0.5),
        ("keep", "3", 3),
        ("page_size", 20, 20),
        ("confirm", "off", False),
    ],
)
def test_values_are_read_in_all_their_forms(name, text, value):
    """Text as in the environment, and Python's own types."""
    with config.using(**{name: text}) as settings:
        assert getattr(settings, name) == value
        assert type(getattr(settings, name)) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("expires_after", "soon", "setting expires_after: not a duration: 'soon'"),
        ("expires_after", -1, "not a duration: -1"),
        ("min_seconds", "never", "not a duration: 'never'"),
        ("keep", -1, "keep is a number from 0, not -1"),
        ("keep", True, "keep is a number from 0"),
        ("keep", 1.5, "keep is a number from 0"),
        ("page_size", 0, "page_size is a number from 1, not 0"),
        ("rng", "maybe", "rng is one of keep, refuse, ignore"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(name, value, expected):
    """With the setting's name and the value."""
    with pytest.raises(ValueError, match=expected):
        config.configure(**{name: value})


def test_never_goes_before_what_stands_further_down(tmp_path):
    """A setting that is switched off in the environment is not the file's."""
    (tmp_path / "pyproject.toml").write_text("[tool.nbcache]\nexpires_after = '1d'\n")
    assert settings_in(tmp_path)[0]["expires_after"] == 86400.0
    found = settings_in(tmp_path, NBCACHE_EXPIRES_AFTER="never")[0]
    assert found["expires_after"] is None


def test_using_holds_inside_a_block():
    """Also when the block raises."""

    def fail():
        with config.using(compress=True):
            assert config.current().compress
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not config.current().compress
