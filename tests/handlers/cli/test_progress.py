"""Progress on a terminal, silence elsewhere; Ctrl-C noted once and obeyed twice."""

import io
import signal

import pytest

from handlers.cli.progress import interruption, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_bar_is_shown_on_a_terminal_only(monkeypatch, stream, shown):
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress() as report:
        report("works.csv", 50, 92)
        report("works.csv", 92, 92)
    assert ("works.csv" in stream.getvalue()) == shown


def test_the_first_interrupt_waits_for_the_check_and_the_second_does_not():
    before = signal.getsignal(signal.SIGINT)
    with interruption() as stop:
        stop.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            stop.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
