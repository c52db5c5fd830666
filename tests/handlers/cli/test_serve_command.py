"""`vaultry serve`: what it says before it serves, and a demo that was interrupted."""

import socket

import pytest

from db.errors import Unavailable
from db.events import SnapshotMade, emit, send_events_to
from handlers import server


@pytest.fixture
def unserved(monkeypatch):
    """No server is started and nothing but loopback is bound, whatever address is asked for."""
    listen = server.listen
    monkeypatch.setattr(server, "listen", lambda host, port: listen("127.0.0.1", 0))
    monkeypatch.setattr(server, "serve", lambda services, listener: None)
    monkeypatch.setattr("handlers.app.configure_log", lambda form: None)


def test_an_interrupted_demo_starts_over(open_services):
    services = open_services()

    def interrupt(file: str, done: int, total: int) -> None:
        if file == "works.csv":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        server.load_demo(services, interrupt)
    assert server.is_empty(services)
    entry = server.load_demo(services, lambda file, done, total: None).entry
    assert not server.is_empty(services)
    roles = {person.email: person.roles for person in server.demo_people(services, entry)}
    assert (roles["liis@aurora.example"], roles["kadri@aurora.example"]) == (("owner",), ("member",))


def test_everything_needed_to_get_in_is_printed_once(shell, unserved):
    said = shell.ok("serve", "--port", "0")
    assert "Liis Kuusk" in said
    assert said.count("token_hash=vll_") == 1
    assert "curl 'http://127.0.0.1:" in said
    again = shell.ok("serve", "--port", "0")
    assert "token_hash" not in again
    assert "vaultry tenants list" in again


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("::1", False)])
def test_an_address_others_can_reach_is_warned_about(choir, unserved, host, warned):
    result = choir.run("serve", "--host", host)
    assert ("warning: " in result.stderr) == warned
    assert "http://127.0.0.1:" in result.stdout


def test_a_port_that_is_taken_is_named_before_anything_is_made(shell):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refusal = shell.refused("serve", "--port", str(taken.getsockname()[1]))
    assert "Address already in use (address_in_use)" in refusal
    assert "--port" in refusal
    assert list(shell.folder.iterdir()) == []


def test_a_host_that_is_nobodys_is_refused():
    with pytest.raises(Unavailable):
        server.listen("nowhere.invalid", 0)


def test_no_answer_waits_for_the_client_to_acknowledge_its_head():
    with server.listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(("form", "begins"), [("json", '{"event"'), ("text", "20")])
def test_a_server_writes_its_events_as_the_setting_says(capsys, form, begins):
    send_events_to(server.line_writer(form))
    try:
        emit(SnapshotMade("v", 7, 4096))
    finally:
        send_events_to(None)
    line = capsys.readouterr().err
    assert line.startswith(begins)
    assert line.endswith('{"event":"SnapshotMade","vault":"v","txid":7,"size":4096}\n')
