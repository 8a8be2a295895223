"""Places that could not be looked at for the same reason stand together."""

import os

from shell_hosts import make_ssh


def test_one_reason_for_all_that_share_it(locard, tmp_path):
    env = {**os.environ, "LOCARD_SSH": str(make_ssh(tmp_path))}
    done = locard("host", "--hosts", "down-1,down-2", env=env)
    assert done.stdout.count("connection refused: nothing listens on that port") == 1
    assert "host/down-1" in done.stdout
    assert "host/down-2" in done.stdout
    alone = locard("host", "host/down-1", env=env)
    assert "connect to host down-1 port 22" in alone.stderr  # the client's own words, of one
