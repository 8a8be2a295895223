"""Which names announce a secret, and which of their values are one.

`{"password": "hunter2"}` is a secret, `prompt_tokens=1523`, `token: expired` and `PWD=/var/www` are none:
a name says what a value may be, and the value's form has the last word.
"""

# ruff: noqa: SIM905 - lists of words are read as words

from __future__ import annotations

import functools
import re

# How a kind of name is judged, weakest last: see `is_secret`.
PASSWORD, TOKEN, WEAK = "password", "token", "weak"
AUTH, COOKIE, SIGNATURE = "authorization", "cookie", "signature"
PIN, OTP, CVV, CARD, SSN, PHONE, BIRTH = "pin", "otp", "cvv", "card", "ssn", "phone", "birth"

# Characters that are not seen: a name with one of them inside is read as the same name.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_WORD = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|[0-9]+")
_PASSWORDS = frozenset(
    (
        "password passwords pw passwd passphrase pwd passwort kennwort passcode contrasena contraseña "
        "senha wachtwoord mdp motdepasse lösenord hasło haslo parola salasana пароль 密码 パスワード"
    ).split()
)
_ENDINGS = ("password", "passwd", "passphrase", "passwort", "pwd", "passcode")
_PASS = re.compile(
    r"(?:db|user|my|pg|redis|admin|root|smtp|ldap|mail|auth|http|proxy|require|store|key|trust)?pass"
)
_KEY_OF = frozenset(
    (
        "api access secret private account encryption signing shared master auth storage ssh service "
        "deploy hmac aes rsa subscription app application client admin jwt security consumer webhook "
        "functions session crypto cipher license signature token openai stripe"
    ).split()
)
_KEYS = (*(f"{word}key" for word in sorted(_KEY_OF)), "apikeys", "accesskeys")
# What pages, streams and language models call a token.
_TOKEN_NOT_OF = frozenset(
    (
        "next prev previous page pagination continuation continue sync cancellation prompt completion "
        "total max min input output cached reasoning pad eos bos unk mask stop special first last "
        "lock per num start end new unexpected syntax invalid fencing lease"
    ).split()
)
_TOKENS_OF = frozenset(
    ["access", "auth", "refresh", "api", "session", "bearer", "id", "security", "csrf", "xsrf"]
)
_LONGER = (
    "accesstoken", "authtoken", "apitoken", "refreshtoken", "usertoken", "idtoken", "sessionid", "sessid",
)  # fmt: skip
_SESSIONS = frozenset(
    ["sessionid", "sessid", "jsessionid", "phpsessid", "aspsessionid", "sessionkey", "sessiontoken"]
)
_EXACT = {
    "authorization": AUTH,
    "cookie": COOKIE,
    "cookies": COOKIE,
    "credential": TOKEN,
    "credentials": TOKEN,
    "creds": TOKEN,
    "secret": TOKEN,
    "secrets": TOKEN,
    "clientsecret": TOKEN,
    "masterauth": PASSWORD,
    "bearer": TOKEN,
    "jwt": TOKEN,
    "sas": WEAK,
    "auth": WEAK,
    "session": WEAK,
    "sid": WEAK,
    "signature": SIGNATURE,
    "sig": SIGNATURE,
    "pin": PIN,
    "otp": OTP,
    "totp": OTP,
    "hotp": OTP,
    "cvv": CVV,
    "cvc": CVV,
    "csc": CVV,
    "pan": CARD,
    "cardnumber": CARD,
    "creditcard": CARD,
    "ssn": SSN,
    "phone": PHONE,
    "telephone": PHONE,
    "mobile": PHONE,
    "msisdn": PHONE,
    "phonenumber": PHONE,
    "dob": BIRTH,
    "birthdate": BIRTH,
    "birthday": BIRTH,
}
_PAIRS = {
    ("session", "id"): TOKEN,
    ("sess", "id"): TOKEN,
    ("sess", "token"): TOKEN,
    ("connect", "sid"): TOKEN,
    ("card", "number"): CARD,
    ("card", "no"): CARD,
    ("cc", "number"): CARD,
    ("credit", "card"): CARD,
    ("account", "pan"): CARD,
    ("phone", "number"): PHONE,
    ("mobile", "number"): PHONE,
    ("social", "security"): SSN,
    ("national", "insurance"): SSN,
    ("of", "birth"): BIRTH,
    ("birth", "date"): BIRTH,
    ("verification", "code"): OTP,
    ("security", "code"): CVV,
    ("auth", "code"): OTP,
    ("sms", "code"): OTP,
    ("mfa", "code"): OTP,
    ("time", "code"): OTP,
    ("x", "auth"): TOKEN,
    ("rediscli", "auth"): PASSWORD,
    ("de", "passe"): PASSWORD,
}
# Words behind the name that change nothing: `password_confirmation`, `secret_key_base`, `password2`.
_NEUTRAL = frozenset(
    (
        "confirmation confirm old new hash digest value plain plaintext text current repeat again b64 "
        "base64 base raw env string default header"
    ).split()
)

# What is said *about* a secret, as the first word where its value would stand.
_SAID = frozenset(
    (
        "attempt attempts tries retry retries left and any are as at absent accepted access added algorithm allowed already and auth "
        "authentication authenticated authorization authorized bad be because been blank but by can "
        "cannot changed check closed could created credentials deleted denied did disabled does empty "
        "enabled error exists expired expires expiry fail failed failing failure for forbidden format "
        "found from generated granted has have header if ignored in incorrect insufficient invalid is "
        "issued it key length lookup malformed mismatch mismatched missing must needed never new no "
        "none not null ok of on only or outdated parse passed pending present prompt provided refresh "
        "refreshed refused rejected renewed required reset reused revoked rotated rotation saved set "
        "should signature sent stale stored success successful succeeded sync that the this to token "
        "too unable unauthorized undefined unexpected unknown unset unsupported updated used user "
        "valid validated validation value verified verification verify was were will with without "
        "wrong yes bearer basic digest oauth oauth2 ldap kerberos ntlm negotiate md5 scram trust "
        "plain gssapi hidden masked redacted filtered removed omitted secret password optional"
    ).split()
)
_NOTHING = re.compile(
    r"(?i)(?:null|none|nil|true|false|undefined|nan|yes|no|on|off|n/a|-|\?)"
    r"|[*•xX.…#_-]{2,}|\[[\w ]{1,20}\]|<[^<>\n]{0,40}>|\$\{?[\w.:-]+\}?|\{\{?[^{}\n]*\}?\}"
    r"|\$\([^()\n]*\)|%\(?\w*\)?[a-z]"
)
_HEX_OR_BASE64 = re.compile(r"[A-Za-z0-9+/_=.~%-]{16,}")
_DIGITS = re.compile(r"[0-9]+")
_CARD_DIGITS = re.compile(r"[0-9](?:[ ._-]?[0-9]){11,18}")
_PHONE_DIGITS = re.compile(r"\+?[0-9(](?:[ ()./-]{0,2}[0-9]){6,14}")
_SSN_DIGITS = re.compile(r"[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}")
_DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}")
_PATH = re.compile(r"(?:~?/|\.{1,2}/|[A-Za-z]:\\)\S*")
_FILE = re.compile(r"[\w./-]+\.(?:pem|key|crt|cer|p12|pfx|jks|txt|json|ya?ml|env|conf)")
_MEASUREMENT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?[a-zA-Z%]{0,2}")
_LEAST, _SHORT, _LONG, _LEAST_NUMBER = 2, 4, 20, 6


@functools.lru_cache(maxsize=4096)
def kind_of(name: str) -> str:
    """What a name announces, one of the kinds above; empty where it announces no secret."""
    words = [w.lower() for w in _WORD.findall(INVISIBLE.sub("", name[-128:]))]
    while len(words) > 1 and (words[-1] in _NEUTRAL or words[-1].isdigit()):
        words.pop()
    if not words:
        return ""
    word, before = words[-1], words[-2] if len(words) > 1 else ""
    found = _PAIRS.get((before, word)) or _EXACT.get(word)
    if found:
        return found
    if word in _PASSWORDS or word.endswith(_ENDINGS) or _PASS.fullmatch(word):
        return PASSWORD
    return TOKEN if _is_token(word, before) or _is_key(word, before) else ""


def _is_key(word: str, before: str) -> bool:
    if word == "key":
        return before in _KEY_OF
    several = word == "keys" and before in {"api", "access", "secret", "private"}
    return several or word.endswith(_KEYS)


def _is_token(word: str, before: str) -> bool:
    if word == "token":
        return before not in _TOKEN_NOT_OF
    if word == "tokens":
        return before in _TOKENS_OF
    return word in _SESSIONS or word.endswith(_LONGER)


def is_secret(kind: str, value: str, *, name: str = "", prose: str = "") -> bool:
    """Whether the value of such a name is one. `prose` is what follows an unquoted value."""
    if not value or _NOTHING.fullmatch(value) or is_said(value):
        return False
    test = _NUMBERS.get(kind)
    if test is not None:
        return test.fullmatch(value) is not None
    if kind == SIGNATURE:
        return _HEX_OR_BASE64.fullmatch(value) is not None and looks_random(value)
    if kind == WEAK:
        return looks_random(value)
    return _is_chosen(kind, value, name) and not _is_sentence(value, prose)


def _is_sentence(value: str, prose: str) -> bool:
    """Whether a value without quotes is a word, and words follow."""
    in_words = value.islower() and not any(c.isdigit() for c in value)
    return in_words and prose[:1] == " " and prose[1:2].isalpha()


def _is_chosen(kind: str, value: str, name: str) -> bool:
    """Whether somebody may have chosen it: no count, no measurement, no place in a file system."""
    if _DIGITS.fullmatch(value):
        short = kind == PASSWORD and name[-4:].lower() != "pass"
        return len(value) >= (_SHORT if short else _LEAST_NUMBER)
    is_test = name.lower() == "pass" and value.isalpha() and not value.islower()  # `PASS: TestFoo`
    if _MEASUREMENT.fullmatch(value) or len(value) < _LEAST or is_test:
        return False
    if kind == TOKEN:
        return not _PATH.fullmatch(value) and not _FILE.fullmatch(value)
    return name[-3:].lower() != "pwd" or not _PATH.fullmatch(value)


_NUMBERS = {
    PIN: re.compile(r"[0-9]{4,8}"),
    OTP: re.compile(r"[0-9]{4,10}"),
    CVV: re.compile(r"[0-9]{3,8}"),
    CARD: _CARD_DIGITS,
    SSN: _SSN_DIGITS,
    PHONE: _PHONE_DIGITS,
    BIRTH: _DATE,
}


def is_said(value: str) -> bool:
    """Whether the value is a remark: `expired`, `not found`, `Missing`."""
    words = [word.strip(".,;:!?()").lower() for word in value.split(None, 8)[:8]]
    # A pass phrase may begin with such a word; in a remark most words are of the kind.
    return bool(words) and words[0] in _SAID and 2 * sum(w in _SAID for w in words) >= len(words)


def looks_random(value: str) -> bool:
    """Whether letters and digits are mixed as nobody writes words: at least eight, no spaces."""
    if len(value) < 8 or any(c.isspace() for c in value):  # noqa: PLR2004 - as said
        return False
    digits = any(c.isdigit() for c in value)
    letters = any(c.isalpha() for c in value)
    if digits and letters:
        return True
    inside = value[1:]
    mixed = any(c.isupper() for c in inside) and any(c.islower() for c in value)
    return mixed or (letters and "=" in value[-2:]) or (digits and len(value) >= _LONG)
