"""unbuffered-io: fires on a file that is read in bytes; pipes, sockets and blocks are healthy."""

from locard.rules.unbuffered_io import judge
from rules.builders import case, row, system_calls

BYTES = row("/srv/list.txt", "read", 6000, bytes=6000, detail="file, 6000 of 1 byte", pid=7)
BLOCKS = row("/srv/blob", "pread64", 80, bytes=80 * 65536, detail="file")


def test_fires_on_a_file_that_is_read_a_byte_at_a_time():
    (finding,) = judge(case(system_calls(files=(BYTES, BLOCKS))))
    assert finding.title == "/srv/list.txt is read a byte at a time, 1,200 times a second"
    assert "99 % of the calls on files, 0.11 % of the bytes" in finding.detail
    assert finding.values == (("file", "/srv/list.txt"),)


def test_quiet_on_wake_ups_in_a_pipe_on_blocks_and_on_few_calls():
    for quiet in (
        row("pipe 9", "read", 6000, bytes=6000, detail="pipe, 6000 of 1 byte"),
        row("tcp a -> b", "recvfrom", 6000, bytes=6000, detail="peer"),
        BLOCKS,
        row("/srv/list.txt", "read", 100, bytes=100, detail="file"),
    ):
        assert not list(judge(case(system_calls(files=(quiet,)))))
