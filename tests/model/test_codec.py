import json

import pytest

from locard.model.codec import canonical, decode, encode
from locard.model.evidence import Evidence, Identity, Layer, Ran, Scope, Status
from locard.model.facts import Frame, Reading, Readings, StackSamples, ThreadStack

RAN = Ran(
    ("a", "b"), "a b", "reads", (), 1.0, None, Identity("h", "u", 0), 1.5, 0.25,
    0, None, False, False, "", "d", 1, "d", 0, 0,
)  # fmt: skip
EVIDENCE = Evidence(
    "e1", "x", Layer.HOST, Status.PARTIAL, Scope((1, 2)), (RAN,),
    (
        Readings((Reading("n", "s", 1.0, "By", None, "ok"),)),
        StackSamples("python", 1, (ThreadStack(0, 1, None, "t", True, (Frame("f", "x", 3),)),), ()),
    ),
)  # fmt: skip


def test_records_come_back_as_they_were():
    assert decode(Evidence, json.loads(json.dumps(encode(EVIDENCE)))) == EVIDENCE


def test_canonical_is_one_text_for_one_value():
    assert canonical({"b": 1, "a": (1, 2)}) == b'{"a":[1,2],"b":1}'
    assert canonical(EVIDENCE) == canonical(decode(Evidence, encode(EVIDENCE)))


def test_unknown_keys_are_ignored_and_missing_ones_take_the_default():
    data = {**encode(EVIDENCE), "new": 1}
    del data["problem"]
    assert decode(Evidence, data) == EVIDENCE


@pytest.mark.parametrize("data", [{}, [], {"pids": "x"}, {"pids": [1], "note": 3}])
def test_what_is_no_record_is_an_error(data):
    with pytest.raises((TypeError, ValueError, KeyError)):
        decode(Scope if data else Reading, data)


def test_names_that_are_no_utf_8_can_be_kept():
    name = b"bad\xff.log".decode("utf-8", "surrogateescape")
    kept = canonical({"path": name})
    assert kept.decode("utf-8") == '{"path":"bad\\udcff.log"}'
    assert json.loads(kept) == {"path": name}


def test_no_two_modules_of_the_model_give_one_name_to_two_things():
    """Types are resolved by name over all modules: one that two of them define is read as the wrong one."""
    import importlib
    import pkgutil
    import typing

    from locard import model

    seen: dict[str, tuple[str, object]] = {}
    for found in pkgutil.iter_modules(model.__path__):
        module = importlib.import_module(f"locard.model.{found.name}")
        for name, value in vars(module).items():
            alias = typing.get_origin(value) is typing.Literal
            if name.startswith("_") or not (isinstance(value, type) or alias):
                continue
            first = seen.setdefault(name, (found.name, value))
            assert first[1] is value or first[1] == value, f"{name} in {first[0]} and {found.name}"
