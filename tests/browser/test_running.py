"""The app that the browser tests start ends with them, whatever comes between."""

import psutil
import pytest

from tests.browser.conftest import running


def test_an_app_that_misses_its_start_limit_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.browser.conftest.START_LIMIT_S", 0)
    before = set(psutil.Process().children())
    with pytest.raises(RuntimeError, match="did not start"):
        next(running(tmp_path))
    assert set(psutil.Process().children()) <= before
