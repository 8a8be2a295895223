import json
import re
import time

import pytest
from guard_rows import ARGVS, PLAIN, PLAIN_ARGVS, SECRETS
from hypothesis import given
from hypothesis import strategies as st

from locard.guard import secret_forms
from locard.guard.redact import MOST_TEXT, Redactor

KEY = b"k" * 32
SECRET = "Zq69Kw7Lm9Xc4Vb8"


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secrets_are_replaced_and_counted(text, secret):
    redactor = Redactor(KEY)
    clean, count = redactor.apply(text.encode())
    assert secret in text
    assert secret not in clean.decode()
    assert count >= 1
    assert redactor.counts.total() == count


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(text):
    assert Redactor(KEY).text(text) == text


@pytest.mark.parametrize("argv", ARGVS, ids=" ".join)
def test_secrets_of_command_lines(argv):
    redactor = Redactor(KEY)
    clean = redactor.argv(tuple(argv))
    assert "secretpw" not in " ".join(clean)
    assert len(clean) == len(argv)
    assert clean[0] == argv[0]
    assert redactor.counts.total() == 1


@pytest.mark.parametrize("argv", PLAIN_ARGVS, ids=" ".join)
def test_an_option_is_a_secret_only_where_it_is_known_to_be(argv):
    assert Redactor(KEY).argv(tuple(argv)) == tuple(argv)


def test_command_lines_across_arguments():
    argv = Redactor(KEY).argv(("db", "--password", "s3cret", "--port", "5432"))
    assert argv[:2] == ("db", "--password")
    assert "s3cret" not in argv[2]
    assert argv[3:] == ("--port", "5432")
    assert Redactor(KEY).argv(()) == ()


def test_command_lines_in_json_are_judged_as_such():
    row = {"argv": ["curl", "-u", "bob:swordfish", "http://x"], "ports": ["-u", "bob:swordfish"]}
    found = json.loads(Redactor(KEY).treat(json.dumps(row).encode(), "json")[0])
    assert found["argv"][2].startswith("bob:<secret:")
    assert found["ports"] == row["ports"]


def test_pseudonyms_group_within_an_incident_and_differ_between_two():
    one, other = Redactor(KEY), Redactor(b"x" * 32)
    assert one.text("mail a@b.io") == one.text("mail a@b.io") != one.text("mail c@b.io")
    assert one.text("mail a@b.io") != other.text("mail a@b.io")


@pytest.mark.parametrize("written", ["json", "counters", "exposition", "text"])
def test_redacting_twice_changes_nothing(written):
    data = "\n".join(text for text, _ in SECRETS).encode()
    once, count = Redactor(KEY).treat(data, written)
    assert count > 10
    assert Redactor(KEY).treat(once, written)[0] == once


def test_json_stays_json_and_a_value_keeps_its_pseudonym_wherever_it_stands():
    summary = {
        "groups": [{"field": "password", "value": "PWSECRET"}, {"field": "n", "value": "12"}],
        "correlates": [{"values": [["password", "PWSECRET"], ["upstream", "bank"]]}],
        "blast_radius": [{"field": "api_key", "affected": [{"value": "KEYSECRET", "requests": 7}]}],
        "findings": [{"title": "everyone with PWSECRET and KEYSECRET"}],
        "messages": [{"example": 'csrf-token "mismatch", id 4111111111111111', "after": 9}],
        "first": 1763812800.25,
    }
    clean, count = Redactor(KEY).treat(json.dumps(summary).encode(), "json")
    found = json.loads(clean)
    assert b"SECRET" not in clean
    assert count == 3
    name = found["groups"][0]["value"]
    assert found["correlates"][0]["values"] == [["password", name], ["upstream", "bank"]]
    key = found["blast_radius"][0]["affected"][0]["value"]
    assert found["findings"][0]["title"] == f"everyone with {name} and {key}"
    assert found["groups"][1] == summary["groups"][1]
    assert found["messages"] == summary["messages"]
    assert found["first"] == summary["first"]


def test_json_lines_are_redacted_one_by_one_and_others_stay_as_they_are():
    lines = b'{"a": 1,   "b":2}\n{"password":"x y","n":4111111111111111}\nno json token=abc1\n'
    clean = Redactor(KEY).treat(lines, "json")[0].split(b"\n")
    assert clean[0] == b'{"a": 1,   "b":2}'
    assert json.loads(clean[1])["n"] == 4111111111111111
    assert b"x y" not in clean[1]
    assert b"abc1" not in clean[2]


def test_numbers_of_the_kernel_are_nobodys():
    counters = b"/proc/stat:cpu 4111111111111111 5500000000000004 203.0.113.7\n"
    assert Redactor(KEY).treat(counters, "counters") == (counters, 0)
    assert Redactor(KEY).apply(b"card 4111111111111111")[1] == 1  # as text it would be one
    assert Redactor(KEY).treat(b"comm x password=abc1\n", "counters")[1] == 1


def test_of_a_metrics_page_labels_are_values_and_numbers_measurements():
    page = (
        "# HELP x of bob@example.com\n"
        'x_total{code="500",user="bob@example.com",token="abc123"} 4111111111111111\n'
        "x_bytes 5500000000000004 1763812800000\n"
    )
    clean, count = Redactor(KEY).treat(page.encode(), "exposition")
    lines = clean.decode().split("\n")
    assert count == 3
    assert "bob" not in clean.decode()
    assert "abc123" not in lines[1]
    assert lines[1].startswith('x_total{code="500",user="<email:')
    assert lines[1].endswith("} 4111111111111111")
    assert lines[2] == "x_bytes 5500000000000004 1763812800000"


@given(st.binary(max_size=2000), st.sampled_from(["json", "counters", "exposition", "text"]))
def test_any_bytes_pass(data, written):
    Redactor(KEY).treat(data, written)


HOSTILE = (
    "-", "_", "a-", "a.", "a@", "@a.b", "1", "4 ", "+1 ", "password=", '"', "\\", "a@b.co ", "a:b", "<password>",
    "-token", "eyJaaaaaaaa.", "aa://x:y ", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
    'password=\\"', ";password=", "cookie: ", "authorization: digest a=b,", '{"password":', "DE89 ", "1.", "2:",
    "<a ", "<password a", 'name="a"', "login a password ", "one-time ", "jdbc:oracle:a:", "-ghp_", "_ghp_aaaaaaa",
    "-xoxb-", "-SG.aaaaaaaaaaaaaaaa", "_SG.aaaaaaaaaaaaaaaaa.a-", "-eyJ", "-sk-ant-", "%20", "%20eyJ", "\\u001b[", "://",
    "://a:", "https://a", "-AKIA", "-1234567890:AA", "-sntrys_", "x#-ghp_", "12345678", "ghp_aaaaaaaaaaa ", "-glpat-", "Üghp_aaaa", "-u a:b1", "-u a:", "--user ", "mysql -p ", "sqlplus a/b ", "['", "['a', ", '["', '"a",', 'env("a", "', "[",
)  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_grows_with_the_text_and_no_faster(piece):
    """Four times the text may take ten times as long: a square would be sixteen, and at once minutes."""

    def seconds(size):
        data = (piece * (size // len(piece) + 1)).encode()
        begin = time.process_time()
        Redactor(KEY).apply(data)
        Redactor(KEY).argv((data.decode(),))
        return time.process_time() - begin

    small = min(seconds(50_000) for _ in range(2))
    assert min(seconds(200_000) for _ in range(2)) < 10 * small + 0.1


@pytest.mark.parametrize(
    "pattern",
    [p for _, p, _ in (*secret_forms.FORMS, *secret_forms.NUMBERS, ("", secret_forms.CUT, None))],
    ids=lambda p: p.pattern[:24],
)
def test_what_a_pattern_looks_at_from_one_place_is_bounded(pattern):
    """No repetition without an end: then the work is that of the places where it begins, each bounded."""
    assert re._parser.parse(pattern.pattern, pattern.flags).getwidth()[1] < 6 * 8192


def test_what_is_too_long_is_cut_and_said():
    redactor = Redactor(KEY)
    clean, count = redactor.apply(b"x" * (MOST_TEXT + 5) + b" password=abc1")
    assert count == 1
    assert b"abc1" not in clean
    assert clean.endswith(b"<cut: 19 characters were not looked at>")


def test_addresses_of_servers_are_what_is_looked_for():
    row = {
        "peer": "203.0.113.9:50051",
        "locals": ["203.0.113.8:41000"],
        "upstream_addr": "203.0.113.9",
        "client": "203.0.113.7:41000",
        "remote_addr": "203.0.113.7",
        "m": "upstream_addr=203.0.113.9 client_ip=203.0.113.7",
    }
    found = json.loads(Redactor(KEY).treat(json.dumps(row).encode(), "json")[0])
    for name in ("peer", "locals", "upstream_addr"):
        assert found[name] == row[name]
    for name in ("client", "remote_addr", "m"):
        assert "203.0.113.7" not in found[name]
    assert "203.0.113.9" in found["m"]


def test_a_masked_token_gets_one_mark_and_no_pseudonym():
    redactor = Redactor(KEY)
    assert redactor.text("ghp_#abc# and <*> and key-#") == "<token> and <*> and key-#"
    assert redactor.text("ghp_abcdefghijklmnopqrstuvwxyz0123456789").startswith("<token:")


CUT = ("ghp_abcdefghijk", "AKIAIOSFODNN7EX", "x-ghp_abcdefghi", "run ghp_abcdefg", "sk_live_abcdefg", "glpat-abcdefghi",
       "xoxb-1234567890", "eyJhbGciOiJIUzI", "x-AKIAIOSFODNN7", "Ü-ghp_abcdefgh", "github_pat_abcd", "sbp_0123456789a",
       "xapp-1-A0B1C2D3")  # fmt: skip


@pytest.mark.parametrize("name", CUT)
def test_a_token_that_the_kernel_cut_to_the_name_of_a_thread(name):
    assert len(name.encode()) == 15
    redactor, kept = Redactor(KEY), name[-6:]
    for text in (
        name,
        f"7 ({name}) S 1",
        f"/proc/7/comm:{name}\n",
        f"Name:\t{name}\nUmask:",
        json.dumps([name]),
    ):
        assert kept not in redactor.text(text)
    assert kept not in redactor.argv((name,))[0]
    assert kept.encode() not in redactor.treat(json.dumps({"comm": name}).encode(), "json")[0]
    assert kept.encode() not in redactor.treat(f"comm:{name}".encode(), "counters")[0]


@pytest.mark.parametrize(
    "name",
    ["ghp_abcdefghij", "ghp_abcdefghijkl", "AKIAworker-pool", "rubygems_update", "highs_collector", "weighs_loading1",
     "gunicorn-worker", "npm run build-x", "hf_tokenizers_w", "pypi-downloader", "SKlistener-0001", "dapi-collector1",
     "key-0123456789a", "sk-worker-pool1", "xapp-worker-001"],
)  # fmt: skip
def test_the_name_of_a_thread_that_is_no_token_stays(name):
    assert Redactor(KEY).text(f"7 ({name}) S 1") == f"7 ({name}) S 1"
    assert Redactor(KEY).text(name) == name


def test_what_is_shown_and_not_recorded_has_a_key_of_its_own():
    one, other = Redactor.passing(), Redactor.passing()
    assert one.text("password=hunter2pw") != other.text("password=hunter2pw")
    assert "hunter2pw" not in one.text("password=hunter2pw")


@pytest.mark.parametrize(
    "value",
    [
        {"password": {"old": SECRET, "new": [SECRET]}},
        {"api_token": {"of": {"bob": SECRET}}},
        {"pair": ["password", SECRET]},
        {"words": ["mysql", "--password", SECRET]},
        {"name": "get_password", "value": SECRET},
    ],
)
def test_what_stands_below_the_name_of_a_secret_is_one(value):
    clean = Redactor(KEY).text(json.dumps(value))
    assert SECRET not in clean
    assert json.loads(clean).keys() == value.keys()


def test_what_is_said_beside_a_secret_stays():
    said = {
        "password": {"error": "too short", "min": 12, "policy": "strict"},
        "ends": ["user", "a1b2c3d4"],
    }
    assert json.loads(Redactor(KEY).text(json.dumps(said))) == said


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ('{"http.x","client.address"="81.2.3.4","a"="b"} 4111111111111111', '{"http.x","client.address"="<ip>","a"="b"} 4111111111111111'),
        ('{"a, x=", "password"="hunter2secret"} 1', '{"a, x=", "password"="<secret>"} 1'),
        (r'{"a\"=\"b","password"="hunter2secret"} 1', r'{"a\"=\"b","password"="<secret>"} 1'),
        ('{"password":"hunter2secret"} 5', '{"password":"<secret>"} 5'),
        ("a{} {count:12,sum:1,positive_buckets:[4111111111111111]} 1.5", "a{} {count:12,sum:1,positive_buckets:[4111111111111111]} 1.5"),
        ('a{b="c"} {count:1} # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736",token="abcdefabcdef1234"} 0.6 1.5',
         'a{b="c"} {count:1} # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736",token="<secret>"} 0.6 1.5'),
    ],
)  # fmt: skip
def test_names_in_utf_8_native_histograms_and_exemplars(line, clean):
    found, _ = Redactor(KEY).treat(line.encode(), "exposition")
    assert re.sub(r"<([a-z]+):[0-9a-f]{10}>", r"<\1>", found.decode()) == clean
