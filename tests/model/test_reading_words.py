"""Readings in words: every measure of ours has one, and numbers have units that people read."""

from locard.model import semconv
from locard.model.facts import Reading
from locard.model.reading_words import amount, measure, short, words


def test_every_measure_has_words():
    names = {
        v for k, v in vars(semconv).items() if k.startswith(("SYSTEM_", "PROCESS_", "CONTAINER_"))
    }
    assert len(names) > 20
    unnamed = {n for n in names if measure(n) == n.rpartition(".")[2].replace("_", " ")}
    assert unnamed <= {semconv.CONTAINER_CPU_QUOTA_TIME}


def test_amounts():
    assert amount(0.937, "1") == "93.7%"
    assert amount(3 << 20, "By") == "3 MiB"
    assert amount(3 << 30, "By") == "3.0 GiB"
    assert amount(251, "{connection}") == "251"
    assert amount(2.5, "s") == "2.5 s"


def test_a_reading_says_whose_it_is_and_of_how_much():
    reading = Reading(
        semconv.PROCESS_OPEN_FDS, "pid 7", 255, "{fd}", 256, "critical", "252 sockets", "target"
    )
    assert words(reading) == "pid 7: open file descriptors 255 of 256 (252 sockets)"
    assert short(reading) == "open file descriptors 255 (pid 7)"
