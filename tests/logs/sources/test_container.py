from __future__ import annotations

import pytest

from locard.model.errors import SourceUnreadableError


def test_both_outputs_of_a_container(program, read):
    program("docker", 'echo "$@"; echo "to stderr" >&2\n')
    lines, _ = read("container/pay-1", since_s=60.0)
    assert sorted(lines) == ["logs --follow=false --since=120s pay-1", "to stderr"]


def test_the_programs_own_words_are_the_reason(program, read):
    program("docker", "exit 1\n")
    with pytest.raises(SourceUnreadableError) as raised:
        read("container/none")
    assert "docker logs" in raised.value.next_step
