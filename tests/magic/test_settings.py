"""`%config NbCache`: the traits are the settings."""

import pytest


def test_a_trait_shows_what_was_set_elsewhere(notebook):
    """Also to the value that the trait had before."""
    notebook("%config NbCache.compress = True")
    assert notebook("%config NbCache.compress").result == {"text/plain": "True"}
    notebook("nbcache.configure(compress=False)")
    assert notebook("%config NbCache.compress").result == {"text/plain": "False"}
    notebook("%config NbCache.compress = True")
    assert notebook.value("nbcache.Cache().core.settings.compress") == "True"
    notebook("%config NbCache.compress = None")
    assert notebook("%config NbCache.compress").result == {"text/plain": "False"}


def test_durations_are_written_as_people_do(notebook):
    """And kept in seconds."""
    notebook("%config NbCache.expires_after = '12h'")
    assert notebook("%config NbCache.expires_after").result == {"text/plain": "43200.0"}
    assert "not a duration" in notebook("%config NbCache.expires_after = 'x'").stderr
    assert notebook("%config NbCache.expires_after").result == {"text/plain": "43200.0"}


@pytest.mark.parametrize(
    "setting", ["expires_after", "min_seconds", "keep", "rng", "lock_timeout"]
)
def test_each_setting_has_a_help_text(notebook, setting):
    """With its value of today."""
    assert f"NbCache.{setting}=<Setting>" in notebook("%config NbCache").stdout


def test_a_wrong_value_left_in_the_configuration(notebook):
    """Costs one warning when the extension is loaded again, and the default holds."""
    notebook("%config NbCache.keep = 'few'")
    assert "keep is a number from 0" in notebook("%reload_ext nbcache").stderr
    assert notebook("%config NbCache.keep").result == {"text/plain": "0"}
    notebook("%reload_ext nbcache")
