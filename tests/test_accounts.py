"""Accounts, what their roles may do, and the door that asks for them: over HTTP, on page and endpoints alike."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from app import build_app
from components.context import Lab
from components.login import check_exposure, is_loopback
from data.accounts import (
    LoginError,
    add_account,
    find_person,
    list_accounts,
    log_in,
    remove_account,
    set_password,
    set_role,
)
from data.examples import get_verdict
from data.roles import ACTS, LOCAL, ROLES, NotAllowed, Person, acting, acting_as, require
from data.versions import live_version, promotion_history
from settings import PROJECT
from tests.conftest import nli

PASSWORD = "correct horse battery"
HTML = {"accept": "text/html"}


@pytest.fixture
def people(store):
    for role in ROLES:
        add_account(store, f"{role[:3]} x", role, PASSWORD)
    return store


def test_the_table_of_roles_is_the_one_in_the_docs():
    text = (PROJECT / "docs" / "teams.md").read_text(encoding="utf-8")
    for act, words in ACTS.items():
        cells = ["yes" if act in ROLES[role] else "no" for role in ROLES]
        assert f"| {words} | {' | '.join(cells)} |" in text


def test_each_role_may_do_what_the_table_says():
    for role, acts in ROLES.items():
        with acting_as(Person("p", role)):
            for act in ACTS:
                if act in acts:
                    require(act)
                else:
                    with pytest.raises(NotAllowed, match=f"you are {role}"):
                        require(act)
    assert acting() == LOCAL


def test_the_right_password_logs_in_and_another_does_not(people):
    assert log_in(people, "adm x", PASSWORD, "here") == Person("adm x", "admin")
    for name, password in (("adm x", "wrong password"), ("nobody", PASSWORD), ("adm x", "")):
        with pytest.raises(LoginError, match="The name or the password is wrong"):
            log_in(people, name, password, "here")
    assert PASSWORD not in json.dumps(list(people["accounts"].rows))


def test_five_failures_are_waited_out(people):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for minute in range(5):
        with pytest.raises(LoginError, match="wrong"):
            log_in(people, "ann x", "wrong password", "here", start + timedelta(minutes=minute))
    with pytest.raises(LoginError, match="Too many"):
        log_in(people, "ann x", PASSWORD, "elsewhere", start + timedelta(minutes=14))
    assert log_in(people, "rev x", PASSWORD, "here", start + timedelta(minutes=14)).role == "reviewer"
    assert log_in(people, "ann x", PASSWORD, "here", start + timedelta(minutes=16)).role == "annotator"


def test_many_guesses_at_once_count_too(settings, people):
    lab = Lab(settings)

    def guess(_):
        try:
            log_in(lab.db(), "ann x", "wrong password", "here")
        except LoginError as error:
            return "Too many" in str(error)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(guess, range(12))) == 7


def test_an_account_that_changed_ends_its_sessions(people):
    since = "2999-01-01"
    assert find_person(people, "ann x", since) == Person("ann x", "annotator")
    assert find_person(people, "ann x", "2020-01-01") is None
    set_role(people, "ann x", "reviewer")
    assert find_person(people, "ann x", since).role == "reviewer"
    set_password(people, "ann x", "another password")
    assert log_in(people, "ann x", "another password", "here")
    remove_account(people, "ann x")
    assert find_person(people, "ann x", since) is None
    add_account(people, "ann x", "annotator", PASSWORD)
    assert len(list_accounts(people)) == 3


def test_a_change_that_makes_no_sense_changes_nothing(people):
    before = list(people["accounts"].rows)
    for change, message in (
        (lambda: add_account(people, "ann x", "admin", PASSWORD), "already"),
        (lambda: add_account(people, "\x00 \u202e", "admin", PASSWORD), "printable"),
        (lambda: add_account(people, "bob", "king", PASSWORD), "annotator, reviewer, admin"),
        (lambda: add_account(people, "bob", "admin", "short"), "at least 10"),
        (lambda: set_role(people, "adm x", "annotator"), "only admin"),
        (lambda: remove_account(people, "adm x"), "only admin"),
        (lambda: set_password(people, "bob", PASSWORD), "no account 'bob'"),
    ):
        with pytest.raises(ValueError, match=message):
            change()
    assert list(people["accounts"].rows) == before


def test_a_page_without_accounts_stays_on_this_machine(settings):
    assert [is_loopback(h) for h in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.0.1", "lab")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    check_exposure(Lab(settings))
    outside = dataclasses.replace(settings, host="0.0.0.0")
    with pytest.raises(ValueError, match="--insecure"):
        check_exposure(Lab(outside))
    check_exposure(Lab(dataclasses.replace(outside, insecure=True)))
    lab = Lab(outside)
    add_account(lab.db(), "ann", "admin", PASSWORD)
    check_exposure(lab)
    with TestClient(build_app(lab)) as client:
        remove_account(lab.db(), "ann")  # while it serves
        assert client.get("/config").status_code == 401


def call(client, name, *values):
    """What a program gets that calls a named endpoint: the result, or the error's text."""
    posted = client.post(f"/gradio_api/call/{name}", json={"data": values})
    if posted.status_code != 200:
        return posted.status_code
    lines = client.get(f"/gradio_api/call/{name}/{posted.json()['event_id']}").text.splitlines()
    data = next(line for line in reversed(lines) if line)
    return json.loads(data.removeprefix("data: "))


def login(client, name, password=PASSWORD, **headers):
    return client.post(
        "/login", data={"username": name, "password": password}, headers=headers, follow_redirects=False
    )


def test_the_door_and_the_roles_behind_it(lab):
    with TestClient(build_app(lab), base_url="http://127.0.0.1") as client:
        assert client.get("/").status_code == 200  # alone on loopback: no login
        for role in ROLES:
            add_account(lab.db(), role, role, PASSWORD)

        page = client.get("/", headers=HTML)
        assert page.url.path == "/login"
        assert 'name="password"' in page.text
        for path in ("", "config", "gradio_api/info", "theme.css", "export/nli.csv", "gradio_api/startup-events"):
            assert client.get(f"/{path}").status_code == 401
        assert call(client, "flag", "nli", nli(), "neutral", "me", "", "") == 401
        assert client.get("/healthz").status_code == 200

        wrong = login(client, "annotator", "wrong password", **HTML)
        assert wrong.status_code == 401
        assert "The name or the password is wrong." in wrong.text
        assert login(client, "annotator", origin="http://evil.example").status_code == 403
        entered = login(client, "annotator", **HTML)
        assert entered.status_code == 303
        cookie = entered.headers["set-cookie"].lower()
        assert all(part in cookie for part in ("httponly", "samesite=strict", "max-age=43200"))

        assert client.get("/config").status_code == 200
        (stored,) = call(client, "flag", "nli", nli(), "neutral", "somebody else", "", "")
        assert get_verdict(lab.db(), stored["id"])["annotator"] == "annotator"
        live = live_version(lab.db(), "nli")
        assert "takes the role admin; you are annotator" in json.dumps(call(client, "promote", live, "x", ""))
        assert "takes the role reviewer or admin" in json.dumps(call(client, "retrain", "nli", "x", "quick"))

        button = next(
            one["id"] for one in client.get("/config").json()["dependencies"] if one["api_name"] == "roll_task_back"
        )
        body = {"data": ["nli", "x"], "fn_index": button, "session_hash": "s"}
        pressed = client.post("/gradio_api/run/predict", json=body)
        assert pressed.status_code == 500
        assert "you are annotator" in pressed.text

        assert client.post("/logout", follow_redirects=False).status_code == 303
        assert client.get("/config").status_code == 401
        assert login(client, "admin").json() == {"success": True}
        (made,) = call(client, "promote", live, "x", "a reason")
        assert made["live"] == live
        assert promotion_history(lab.db(), "nli")[0]["promoted_by"] == "admin"
        remove_account(lab.db(), "annotator")
        set_password(lab.db(), "admin", "another password")
        assert client.get("/config").status_code == 401


def test_a_session_expires(lab):
    short = Lab(dataclasses.replace(lab.settings, session_hours=-1))
    short.start_serving()
    with TestClient(build_app(short)) as client:
        add_account(lab.db(), "ann", "admin", PASSWORD)
        assert login(client, "ann").status_code == 200
        assert client.get("/config").status_code == 401
    short.serving.stop()
