"""Secrets and personal data that are known by their form: tokens of providers, keys, cards, addresses.

Every pattern begins at a mark, and what it looks at from there is bounded or taken, so that all of them
are linear in the text.
"""

# ruff: noqa: SIM905 - lists of words are read as words

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from locard.guard.secret_names import is_secret, kind_of, looks_random

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[re.Match[str]], bool]

# Prefixes that nothing but a token has: one may stand behind a hyphen, in the name of a file or of a host.
_SURE = (
    r"gh[opusr]_[A-Za-z0-9]{16,255}|github_pat_\w{20,255}"
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent)-[\w-]{16,64}|glsa_\w{20,64}|xox[abeoprs]-[\w-]{10,255}|xapp-[0-9]-[\w-]{10,255}"
    r"|(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{12,20}|AIza[\w-]{30,40}|ya29\.[\w-]{20,512}|GOCSPX-[\w-]{20,40}"
    r"|(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,128}|whsec_[\w+/=]{16,128}"
    r"|sk-(?:ant|proj|svcacct)-[\w-]{20,255}|npm_[A-Za-z0-9]{20,64}|pypi-AgE[\w-]{20,255}"
    r"|do[opr]_v1_[a-f0-9]{32,64}|SG\.[\w-]{16,32}\.[\w-]{16,64}|hf_[A-Za-z0-9]{20,64}"
    r"|dckr_(?:pat|oat)_[\w-]{20,64}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|NRAK-[A-Z0-9]{20,40}"
    r"|lin_api_\w{20,64}|hv[sbr]\.[\w-]{20,200}|AGE-SECRET-KEY-1[0-9A-Z]{20,80}|ATATT3[\w=-]{20,255}"
    r"|ATCTT3[\w=-]{20,255}|sq0(?:atp|csp|idp)-[\w-]{20,64}|figd_[\w-]{20,64}|PMAK-[\w-]{20,80}"
    r"|rubygems_[a-f0-9]{32,64}|tskey-[\w-]{16,80}|pscale_(?:tkn|pw|oauth)_[\w.-]{20,64}"
    r"|EAACEdEose0cBA[0-9A-Za-z]{1,255}|SK[0-9a-f]{32}|dapi[a-f0-9]{32}|sbp_[a-f0-9]{40}"
    r"|[0-9]{8,10}:AA[\w-]{33}|sntrys_[\w=+/-]{20,255}"
)
# Those that end other words too (`task-`, `cache-key-`, `mirror-pypi-`): nothing of a word stands before one.
_ALONE = r"sk-[\w-]{20,255}|pypi-[\w-]{20,255}|key-[0-9a-f]{32}|r8_\w{30,50}|phx_\w{20,64}|sl\.[\w-]{60,200}"
_JWT = r"eyJ[A-Za-z0-9_-]{10,8192}+(?:\.[A-Za-z0-9_-]{0,8192}+){0,4}"
PROVIDER = re.compile(rf"(?<![A-Za-z0-9])(?P<secret>{_SURE}|(?<![_-])(?:{_ALONE}))")
JWT = re.compile(rf"(?P<secret>(?=eyJ)(?<![A-Za-z0-9]){_JWT})")
# Behind the code of a character, which may end in a letter or digit: `%20`, `\n`, `\u001b[0m`.
CODED = re.compile(
    r"(?:%[0-9A-Fa-f]{2}|(?:\x1b|\\(?:[abefnrtv]|[0-7]{1,3}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}))(?:\[[0-9;]{0,20}m)?)"
    rf"(?P<secret>{_SURE}|{_ALONE}|{_JWT})"
)
# What the kernel leaves of a token that is the name of a thread or a program: 15 bytes of it. By what follows.
_CUT = {
    "A-Za-z0-9": "ghp_ gho_ ghu_ ghs_ ghr_ glsa_ npm_ hf_ sk_live_ sk_test_ rk_live_ rk_test_".split(),
    "0-9A-Z": "AKIA ASIA ABIA ACCA NRAK-".split(),
    "0-9a-f": "rubygems_ dapi sbp_ dop_v1_ doo_v1_ dor_v1_ shpat_ shpca_ shppa_ shpss_".split(),
    "A-Z0-9-": "xapp-1- xapp-2- AGE-SECRET- PMAK-".split(),
    r"\w.-": (
        "github_pat_ glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glimt- glagent- xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- "
        "AIza ya29. GOCSPX- whsec_ sk-ant- sk-proj- sk-svcacct- pypi-AgE SG. dckr_pat_ dckr_oat_ lin_api_ hvs. hvb. hvr. "
        "ATATT3 ATCTT3 sq0atp- sq0csp- sq0idp- figd_ tskey- pscale_ EAAC sntrys_ eyJ"
    ).split(),
}
CUT_STEMS = tuple(stem for stems in _CUT.values() for stem in stems)
CUT = re.compile(
    "(?P<secret>"
    + "|".join(
        rf"(?:{'|'.join(map(re.escape, stems))})[{chars}]{{3,12}}+" for chars, stems in _CUT.items()
    )
    + r")(?![\w.-])"
)
WEBHOOK = re.compile(
    r"(?P<secret>(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/-]{4,200}"
    r"|(?<=discord\.com/api/webhooks/)[\w/-]{4,200}|(?<=discordapp\.com/api/webhooks/)[\w/-]{4,200}"
    r"|(?<=\.webhook\.office\.com/)[\w/@-]{4,300}|(?<=api\.telegram\.org/bot)[\w:-]{10,80})"
)
SCHEME = re.compile(
    r"(?i)(?<![\w-])(?:bearer|basic|negotiate|ntlm|apikey|digest)[ \t]{1,3}(?P<secret>[\w~+/.-]{8,4096}+={0,2})(?![\w=])"
)
USERINFO = re.compile(
    r"://(?<=[A-Za-z0-9+.-]://)[^\s/@:\"'<>?#]{0,512}+:"
    r"(?P<secret>(?![0-9]{1,5}(?:[/?#]|[^\w@%]|$))[^\s\"'<>@]{1,256}+(?:@[^\s\"'<>@/?#]{1,64}(?=@))?)@(?=[\w.\[-])"
)
USER_ONLY = re.compile(
    r"://(?:(?<=https://)|(?<=http://)|(?<=HTTPS://)|(?<=HTTP://))(?P<secret>[\w~.-]{16,256}+)@(?=[\w.\[-])"
)
GO_DSN = re.compile(
    r"(?<![\w.@:/-])[\w.-]{1,64}+:(?P<secret>[^\s\"'<>()]{1,128}?)@(?=(?:tcp6?|udp|unix|cloudsql)\()"
)
IDENTIFIED = re.compile(
    r"(?i)\bidentified[ ]{1,8}(?:with[ ]{1,8}\S{1,40}[ ]{1,8})?by[ ]{1,8}(?:password[ ]{1,8})?['\"](?P<secret>[^'\"\n]{1,256})"
)
LOGIN = re.compile(
    r"(?i)\blogin[ \t]{1,4}\S{1,64}[ \t]{1,4}password[ \t]{1,4}(?P<secret>\S{1,256}+)"
)
SETTING = re.compile(
    r"(?i)\b(?:requirepass|masterauth)[ \t]{1,4}[\"']?(?P<secret>[^\s\"']{1,256}+)"
)
ORACLE = re.compile(r"(?i)\bjdbc:oracle:\w{1,8}:[\w$#]{1,64}/(?P<secret>[^\s\"'@]{1,128}+)(?=@)")
ELEMENT = re.compile(
    r"<(?:[\w-]{1,40}+:)?(?P<name>[\w.-]{1,40}+)[ \t][^<>\n]{1,200}+>(?P<secret>[^<>\n]{1,4096}+)(?=</)"
)
FORM_DATA = re.compile(
    r"name=\\?\"(?P<name>[\w.-]{1,40}+)\\?\"(?:\r?\n|\\r\\n|\\n){2}(?P<secret>[^\r\n\\]{1,256}+)"
)
# `setenv("PGPASSWORD", "x", 1)`, `getenv("PGPASSWORD") = "x"`, as programs that trace write a call.
ENVIRONMENT = re.compile(
    r"env\([\"'](?P<name>[\w.]{1,64}+)[\"'](?:,[ ]{0,2}|\)[ ]{1,40}=[ ])[\"'](?P<secret>[^\"'\n]{1,4096}+)"
)
CODE = re.compile(
    r"(?i)\b(?:otp|(?:one[- ]time|verification|security|auth|sms|mfa|2fa|pin|login)[ -](?:password|passcode|code|pin))"
    r"(?:[ ]code)?(?:[ ]is)?[ :=#]{1,3}(?P<secret>[0-9]{4,10})(?![\w.-])"
)
SSN = re.compile(
    r"(?i)\b(?:ssn|social[ ]security(?:[ ]number)?)[ :=#]{1,3}(?P<secret>[0-9]{3}-[0-9]{2}-[0-9]{4})(?![\w-])"
)
# One label less than the address is looked for at each @, backwards: see `redact`.
EMAIL_TAIL = re.compile(
    r"(?:@|%40)(?P<domain>[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,4})(?![\w-])"
)
EMAIL_CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-%'!#$&*/=?^`{|}~"
IBAN = re.compile(r"(?<![A-Za-z0-9])(?P<secret>[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}+)")
CARD = re.compile(
    r"(?<![0-9_.-])(?<![0-9][ ])(?P<secret>[2-6](?:[ ._-]?[0-9]){12,18}+)(?![0-9_-]|\.[0-9])"
)
PHONE = re.compile(
    r"(?<![\w+.:)\]])(?P<secret>\+[1-9][0-9]{0,2}(?:[ ./-]?\(?[0-9]{1,5}+\)?){2,6}+)(?![\w.:])"
)
ADDRESS = re.compile(
    r"(?<![\w.:/-])(?P<secret>(?:[0-9]{1,3}\.){3}[0-9]{1,3})(?P<port>:[0-9]{1,5})?(?![\w.-]*[\w-])"
)
ADDRESS_6 = re.compile(
    r"(?<![\w:.])\[?(?P<secret>[23][0-9a-fA-F]{0,3}:[0-9a-fA-F:]{2,34}+)\]?(?P<port>(?<=\]):[0-9]{1,5})?(?![\w:.]*[\w:])"
)

# Top levels that no mail goes to: units, packages, files, names inside of a network.
_NO_DOMAIN = frozenset(
    (
        "service socket timer mount automount target slice scope path device swap tgz gz tar zip whl "
        "js ts mjs cjs jsx tsx json yaml yml toml lock jar class internal local localdomain lan home "
        "corp intra svc cluster consul arpa localhost default log txt conf exe dll deb rpm php html "
        "xml run get set png jpg jpeg gif svg webp ico css map pdf cpp"
    ).split()
)
_NO_PERSON = frozenset(
    ["git", "hg", "svn", "root", "nobody", "www-data", "postgres", "ec2-user", "ubuntu", "daemon"]
)
_PLAIN_LABEL = re.compile(r"[a-z]{2,24}|[A-Z]{2,24}|xn--[a-z0-9-]+")
# What stands before a number, or names it: a card is one where nothing says that it is something else.
_NAMED_NUMBER = re.compile(r"(?P<name>[A-Za-z][\w.-]{0,40})[\"']?\s{0,2}[=:]\s{0,2}[\"']?$")
_GLUED = re.compile(r"(?P<name>[A-Za-z]+)$")
_GROUPED = re.compile(r"[0-9]{4}([ ._-])[0-9]{4,6}\1[0-9]{4,5}(?:\1[0-9]{1,7})?")
_WORD_BEFORE = re.compile(r"(?P<name>[A-Za-z][\w.-]{0,40})[ \t#]{1,2}$")
_CARD_WORD = re.compile(r"(?i)card|\bpan$|_pan$|visa|master|amex|^cc|_cc|payment.?method")
_OTHER_NUMBER = re.compile(
    r"(?i)[_.]|id$|^(?:orders?|trace|span|bytes?|total|count|sum|size|length|offset|seq|sequence|serial"
    r"|ts|time|timestamp|epoch|ns|us|ms|ref|reference|invoice|txn|transaction|requests?|req|job|task|user"
    r"|account|customer|tenant|message|event|batch|block|inode|pid|tid|version|build|commit|lsn|xid|row"
    r"|partition|position|key|shard|snowflake|tracking|shipment|ticket|case|session|device|uid|gid|hash"
    r"|value|cookie|lag|epoch|generation|revision|rev|number|no|nr)$"
)
_IIN = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    r"|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2}|2[0-9]{2})[0-9]{12,15}|(?:50|5[6-9]|6[0-9])[0-9]{10,17}"
)
_VERSION_BEFORE = re.compile(
    r"(?i)(?:\bv|ver|version|release|build|driver|firmware|[a-z]/)[ :=]{0,3}$"
)
_SERVER_BEFORE = re.compile(
    r"(?i)(?:upstream|server|host|hosts|backend|endpoint|nameserver|resolver|dns|listen(?:ing)?|bind(?:ing)?"
    r"|bound|dial|tcp|udp|lookup|connect(?:ed|ing|ion)?|proxy|gateway|to|on|via|at|node|master|replica"
    r"|leader|broker|peer)(?:_?(?:addr(?:ess)?|ip))?[ :=\"'(]{1,3}(?:to[ ]|tcp[ ])?$"
)
_PHONE_BEFORE = re.compile(
    r"(?i)(?:call(?:er)?|phone|tel|mobile|sms|dial|msisdn|whatsapp|number|to|from|for)\W{1,3}$"
)
_UNIT_BEHIND = re.compile(
    r"(?i)[ ]?(?:rows?|bytes?|[kmg]i?b|records?|items?|[nuµm]?s|events?|messages?|requests?|times|hits)\b"
)
_NAME_BYTES = 15
_AROUND = frozenset("()[]\"':=,/\t\n")  # what a name stands between
_NEAR = 24
_BEFORE = 48  # characters of context
_AMERICAN = 11  # digits of a number of the North American plan
_FIRST_SERVER_PORT, _FIRST_CLIENT_PORT = 1, 32768
_IBAN_LENGTHS = {
    pair[:2]: int(pair[2:])
    for pair in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 "
        "EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 "
        "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 "
        "NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 "
        "TN24 TR26 UA29 VA22 VG24 XK20"
    ).split()
}


def before(found: re.Match[str], group: str = "secret") -> str:
    """What stands before it, as far as it tells anything."""
    start = found.start(group)
    return found.string[max(0, start - _BEFORE) : start]


def is_cut(found: re.Match[str]) -> bool:
    """Whether it ends where the name of a thread does: 15 bytes (TASK_COMM_LEN) behind its beginning."""
    text, start, end = found.string, found.start(), found.end()
    begin = max(0, end - _NAME_BYTES)
    while _bytes(text[begin:end]) > _NAME_BYTES:
        begin += 1
    if start < begin or _bytes(text[begin:end]) < _NAME_BYTES or set(text[begin:start]) & _AROUND:
        return False
    return not text[max(0, begin - 1) : begin].isalnum() and not text[start - 1 : start].isalnum()


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def is_card(found: re.Match[str]) -> bool:
    """ISO/IEC 7812: a known issuer's number with the right last digit, and not named otherwise."""
    text = found["secret"]
    digits = [int(c) for c in text if c.isdigit()]
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * n, 10)) for n in digits[-2::-2])
    fits = total % 10 == 0 and _IIN.fullmatch("".join(map(str, digits)))
    return (
        bool(fits) and (bool(_GROUPED.fullmatch(text)) or text.isdigit()) and _is_called_card(found)
    )


def _is_called_card(found: re.Match[str]) -> bool:
    """Whether what stands before a number leaves it a card's."""
    context = before(found)
    behind = found.string[found.end("secret") : found.end("secret") + _NEAR]
    if context.endswith("} ") or _UNIT_BEHIND.match(behind):  # a measurement
        return False
    named = _NAMED_NUMBER.search(context) or _GLUED.search(context)
    if named:
        return bool(_CARD_WORD.search(named["name"]))
    word = _WORD_BEFORE.search(context)
    in_groups = not found["secret"].isdigit()
    if in_groups or not word or _CARD_WORD.search(context[-_NEAR:]):
        return True
    return not _OTHER_NUMBER.search(word["name"])


def iban_length(text: str) -> int:
    """How many characters of the text are an IBAN (ISO 13616); 0 for none."""
    wanted, taken = _IBAN_LENGTHS.get(text[:2], 0), 0
    for place, char in enumerate(text):
        taken += char.isalnum()
        if taken == wanted:
            plain = re.sub(r"[ -]", "", text[: place + 1])
            turned = plain[4:] + plain[:4]
            fits = int("".join(str(int(c, 36)) for c in turned)) % 97 == 1
            return place + 1 if fits and not text[place + 1 : place + 2].isalnum() else 0
    return 0


def is_phone(found: re.Match[str]) -> bool:
    """E.164: a country code and 9 to 15 digits, in groups or where a word says so."""
    text = found["secret"]
    number = "".join(c for c in text if c.isdigit())
    digits = len(number)
    if number[0] == "1" and (digits != _AMERICAN or number[1] in "01"):
        return False
    grouped = any(c in " -(" for c in text)
    return 9 <= digits <= 15 and (grouped or bool(_PHONE_BEFORE.search(before(found))))  # noqa: PLR2004 - as said


def is_persons_address(found: re.Match[str]) -> bool:
    """A public address that is no server's and no version: whose client it was."""
    try:
        address = ipaddress.ip_address(found["secret"])
    except ValueError:
        return False
    inside = (
        address.is_loopback or address.is_link_local or address.is_multicast
        or address.is_unspecified or any(address in net for net in _INSIDE if net.version == address.version)
    )  # fmt: skip
    if inside:
        return False
    port = int((found["port"] or ":0")[1:])
    if _FIRST_SERVER_PORT <= port < _FIRST_CLIENT_PORT:
        return False
    context = before(found)
    return not _VERSION_BEFORE.search(context) and not _SERVER_BEFORE.search(context)


_INSIDE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "240.0.0.0/4",
    )
)


def names_a_server(name: str) -> bool:
    """Whether addresses under that name are of machines that serve: they are what is looked for."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    return bool(words & _SERVERS) and not words & _CLIENTS


_SERVERS = frozenset(
    "peer peers server servers upstream backend local locals address endpoint listen bind host hosts "
    "nameserver dns proxy destination dst gateway broker node".split()
)
_CLIENTS = frozenset("client remote user forwarded visitor source src".split())


def is_mail(local: str, domain: str, behind: str) -> bool:
    """Whether `local@domain` is somebody's address: no package, unit, object or account of a system."""
    labels = domain.split(".")
    if not local or not _PLAIN_LABEL.fullmatch(labels[-1]) or labels[-1].lower() in _NO_DOMAIN:
        return False
    if len(labels) > 2 and labels[0].isdigit() and labels[1][:1].isdigit():  # noqa: PLR2004 - a version
        return False
    if local.lower() in _NO_PERSON or (behind[:1] == ":" and behind[1:2].isalpha()):
        return False
    is_object = re.search(r"\.[A-Z]\w*$", local) and re.fullmatch(r"[0-9a-f]{1,8}", labels[0])
    return not is_object


def is_random(found: re.Match[str]) -> bool:
    """Whether what follows a scheme is a credential and no word."""
    return looks_random(found["secret"])


def is_named(found: re.Match[str]) -> bool:
    """Whether the name beside it announces a secret, and it is one."""
    kind = kind_of(found["name"])
    return bool(kind) and is_secret(kind, found["secret"].strip(), name=found["name"])


FORMS: tuple[tuple[str, re.Pattern[str], Check | None], ...] = (
    ("jwt", JWT, None),
    ("webhook", WEBHOOK, None),
    ("token", PROVIDER, None),
    ("token", CODED, None),
    ("auth", SCHEME, is_random),
    ("userinfo", USERINFO, None),
    ("userinfo", USER_ONLY, is_random),
    ("userinfo", GO_DSN, None),
    ("secret", IDENTIFIED, None),
    ("secret", LOGIN, None),
    ("secret", SETTING, None),
    ("userinfo", ORACLE, None),
    ("secret", ELEMENT, is_named),
    ("secret", FORM_DATA, is_named),
    ("secret", ENVIRONMENT, is_named),
)
NUMBERS: tuple[tuple[str, re.Pattern[str], Check | None], ...] = (
    ("card", CARD, is_card),
    ("secret", CODE, None),
    ("secret", SSN, None),
    ("phone", PHONE, is_phone),
    ("ip", ADDRESS, is_persons_address),
    ("ip", ADDRESS_6, is_persons_address),
)
