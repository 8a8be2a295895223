from __future__ import annotations

import pytest

from locard.model.errors import SourceUnreadableError


def test_both_outputs_of_a_container(program, read):
    program("docker", 'if [ "$1" = logs ]; then echo "$@"; echo "to stderr" >&2; fi\n')
    lines, _ = read("container/pay-1", since_s=60.0)
    assert sorted(lines) == ["logs --follow=false --since=120s pay-1", "to stderr"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ('echo "[]"; echo "Error: No such container: none" >&2; exit 1\n', "No such container"),
        ('echo "Cannot connect to the Docker daemon" >&2; exit 1\n', "Docker daemon"),
        ("exit 1\n", "no such container"),
    ],
)
def test_a_complaint_is_the_reason_and_no_line_of_the_log(program, read, script, why):
    for engine in ("docker", "podman"):  # one of this machine would answer, too
        program(engine, script)
    with pytest.raises(SourceUnreadableError) as raised:
        read("container/none")
    assert why in raised.value.why
    assert raised.value.command == "docker container inspect none"


def test_a_failure_after_that_names_the_command(program, read):
    program("docker", '[ "$1" = container ] || exit 1\n')
    with pytest.raises(SourceUnreadableError) as raised:
        read("container/none")
    assert "docker logs" in raised.value.command
