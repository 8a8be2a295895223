import re

from locard.guard import capability


def test_text_lists_what_there_is_and_how_to_get_the_rest(locard):
    done = locard("doctor")
    checks = capability.checks()
    assert done.returncode == (0 if all(c.works for c in checks) else 4)
    for check in checks:
        line = re.search(rf"^  (yes|NO ) +{re.escape(check.name)}", done.stdout, re.MULTILINE)
        assert line
        if not check.works:
            assert check.get in done.stdout
    assert "lock-contention" in done.stdout


def test_checks_try_and_do_not_guess(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    root = next(c for c in capability.checks() if c.name == "root")
    assert not root.works
    assert "CAP_SYS_PTRACE" in root.adds
