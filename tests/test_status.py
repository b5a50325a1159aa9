"""The Status tab says how the app fares, to admins."""

from components.status import show_status
from data.roles import Person, acting_as
from tests.conftest import nli


def test_status_counts_answers_and_lists_what_is_loaded(lab):
    lab.serving.refresh()
    for _ in range(3):
        served = lab.serving.predict("nli", nli())
    html = show_status(lab)
    for said in ("Probes since the start</th><td>3", "95 % answered within", served.version_id, "fp32", ", live"):
        assert said in html
    assert "none yet" in html
    assert "not running" in html


def test_status_before_the_models_are_up(lab):
    from components.context import Lab

    assert "not up yet" in show_status(Lab(lab.settings))


def test_status_is_for_admins(lab):
    with acting_as(Person("ann", "annotator")):
        html = show_status(lab)
    assert "For admins" in html
    assert str(lab.settings.workspace) not in html
