"""Expressions of `watch --where` and `--show`, turned into calls of what reads without running the application's code.

Stands alone; 3.6 or later. The syntax is Python's, of which this much is known: names, `.attribute`, `[key]`,
comparisons, `in`, `is None`, `and`, `or`, `not`, len(), numbers and texts. Names: `params` (by number or name), the
parameters themselves, `target` (self or cls), `result` (or returnObj), `exception` (or throwExp), `cost_ms`, `inside_ms`.
"""

import ast
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

LONGEST, DEEPEST_EXPRESSION = 2000, 40
LAMBDA = "lambda a, r, e, c, i: "
TIMES = {
    "cost_ms": "(c / 1e6)",
    "cost": "(c / 1e6)",
    "inside_ms": "(i / 1e6)",
    "cost_us": "(c / 1e3)",
}
VALUES = {
    "result": "r", "returnObj": "r", "exception": "e", "throwExp": "e", "True": "True", "False": "False",
    "None": "None", "true": "True", "false": "False", "null": "None",
}  # fmt: skip
ORDER = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
NUMERIC = re.compile(r"\(?-?[0-9][0-9.e+-]*\)?\Z")
KNOWN_NAMES = "params, target, result, exception, cost_ms, inside_ms and the function's parameters"


def is_number(text: str) -> bool:
    """Whether what was written is a duration of the event or a number."""
    return text in TIMES.values() or NUMERIC.match(text) is not None


class ExpressionError(Exception):
    """What does not fit, and at which column (from 0)."""

    def __init__(self, what: str, column: int = 0) -> None:
        """`what` as a sentence without a full stop."""
        Exception.__init__(self, what)
        self.what, self.column = what, column


def parsed(text: str) -> "Any":
    """The tree of an expression; raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError("it has more than %d characters" % LONGEST)
    plain = text.replace("&&", " and ").replace("||", " or ")
    try:
        return ast.parse(plain.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError("%s" % error.msg, (error.offset or 1) - 1) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(str(error) or "it is nested too deep") from None


def several(text: str) -> "list[tuple[str, Any]]":
    """(words, tree) of the expressions of `--show`, between commas or in braces."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    tree = parsed("(" + inner + ",)")
    parts = [part.strip() for part in split(inner)]
    return list(zip(parts, tree.elts))


def split(text: str) -> "list[str]":
    """Parts between the commas that stand in no bracket and no text."""
    parts, depth, quote, begin = [], 0, "", 0
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == "," and not depth:
            parts.append(text[begin:at])
            begin = at + 1
    parts.append(text[begin:])
    return [part for part in parts if part.strip()]


WRITERS = {
    "BoolOp": "joined", "UnaryOp": "negated", "Compare": "comparison", "Name": "name", "Attribute": "attribute",
    "Subscript": "subscript", "Call": "call", "Constant": "constant", "Num": "number", "Str": "text",
    "NameConstant": "named",
}  # fmt: skip


class Writer:
    """Writes the tree of one expression for a function with these parameters."""

    def __init__(self, names: "tuple[str, ...] | None", method: bool = False) -> None:
        """Where the parameters are not known yet (None), every name is taken for one of them."""
        self.names, self.method = names, method
        self.depth = 0

    def write(self, node: "Any") -> str:
        """Python for one part; raises ExpressionError."""
        self.depth += 1
        if self.depth > DEEPEST_EXPRESSION:
            raise ExpressionError("it is nested too deep", getattr(node, "col_offset", 0))
        try:
            name = WRITERS.get(type(node).__name__, "")
            if not name:
                self.fail(node, "%s is not known here" % type(node).__name__)
            return str(getattr(self, name)(node))
        finally:
            self.depth -= 1

    def label(self, node: "Any") -> str:
        """The name of the parameter that `params[1]` is, so that what is secret by its name is known as such."""
        if not (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id == "params"
        ):
            return ""
        index = node.slice  # type: Any
        index = index.value if type(index).__name__ == "Index" else index
        names = (self.names or ())[1:] if self.method else self.names or ()
        try:
            return str(names[ast.literal_eval(index)])
        except (ValueError, TypeError, IndexError):
            return ""

    def fail(self, node: "Any", what: str) -> "NoReturn":
        """Raise the error that names the place."""
        raise ExpressionError(what, getattr(node, "col_offset", 0))

    def joined(self, node: "Any") -> str:
        """`and`, `or`."""
        word = " and " if isinstance(node.op, ast.And) else " or "
        return "(" + word.join(self.truth(v) for v in node.values) + ")"

    def truth(self, node: "Any") -> str:
        """A part that stands for yes or no."""
        written = self.write(node)
        told = isinstance(node, (ast.BoolOp, ast.Compare)) or isinstance(
            getattr(node, "op", None), ast.Not
        )
        return written if told else "truth(%s)" % written

    def negated(self, node: "Any") -> str:
        """`not`, and negative numbers."""
        if isinstance(node.op, ast.Not):
            return "(not %s)" % self.truth(node.operand)
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError):
            value = None
        if isinstance(value, (int, float)):
            return "(%r)" % value
        return self.fail(node, "only `not` and negative numbers stand before a value")

    def comparison(self, node: "Any") -> str:
        """One comparison, or a chain of them."""
        parts, left = [], self.write(node.left)
        for operator, other in zip(node.ops, node.comparators):
            right = self.write(other)
            parts.append(self.compared(operator, left, right, node))
            left = right
        return "(" + " and ".join(parts) + ")"

    def compared(self, operator: "Any", left: str, right: str, node: "Any") -> str:
        """One comparison."""
        kind = type(operator)
        if kind in ORDER and is_number(left) and is_number(right):
            return "(%s %s %s)" % (left, ORDER[kind], right)  # nothing of the application is in it
        if kind in ORDER:
            return "compared(%r, %s, %s)" % (ORDER[kind], left, right)
        how = {ast.Eq: "==", ast.Is: "is"}.get(kind)
        if how:
            return "compared(%r, %s, %s)" % (how, left, right)
        how = {ast.NotEq: "==", ast.IsNot: "is"}.get(kind)
        if how:
            return "(not compared(%r, %s, %s))" % (how, left, right)
        if kind is ast.In:
            return "contained(%s, %s)" % (left, right)
        if kind is ast.NotIn:
            return "(not contained(%s, %s))" % (left, right)
        return self.fail(node, "this comparison is not known")

    def name(self, node: "Any") -> str:
        """A name of the event, or a parameter."""
        name = node.id
        if name in TIMES:
            return TIMES[name]
        if name in VALUES and not (self.names and name in self.names):
            return VALUES[name]
        if name == "params":
            return "a[1:]" if self.method else "a"
        if name == "target":
            if self.names is not None and not self.method:
                self.fail(node, "it is no method, so it has no target")
            return "a[0]"
        return self.parameter(name, node)

    def parameter(self, name: str, node: "Any") -> str:
        """A parameter by its name."""
        if self.names is None:
            return "a[0]"
        if name not in self.names:
            self.fail(
                node,
                "no %s: there are %s (%s)"
                % (name, KNOWN_NAMES, ", ".join(self.names) or "it has none"),
            )
        return "a[%d]" % self.names.index(name)

    def attribute(self, node: "Any") -> str:
        """`.name`."""
        if isinstance(node.value, ast.Name) and node.value.id == "params":
            return self.parameter(node.attr, node)
        return "attribute(%s, %r)" % (self.write(node.value), node.attr)

    def subscript(self, node: "Any") -> str:
        """`[key]`."""
        index = (
            getattr(node.slice, "value", node.slice)
            if type(node.slice).__name__ == "Index"
            else node.slice
        )
        try:
            key = ast.literal_eval(index)
        except (ValueError, TypeError):
            key = None
        if type(key) not in (int, str):
            self.fail(node, "a key is a number or a text")
        if isinstance(node.value, ast.Name) and node.value.id == "params" and isinstance(key, str):
            return self.parameter(key, node)
        return "item(%s, %r)" % (self.write(node.value), key)

    def call(self, node: "Any") -> str:
        """len()."""
        if (
            isinstance(node.func, ast.Name)
            and node.func.id == "len"
            and len(node.args) == 1
            and not node.keywords
        ):
            return "length(%s)" % self.write(node.args[0])
        return self.fail(
            node, "nothing is called here but len(): it would be the application's code"
        )

    def constant(self, node: "Any") -> str:
        """A number or a text."""
        if isinstance(node.value, float) and node.value - node.value != 0:
            self.fail(node, "a number that large is compared with nothing")
        if node.value is None or isinstance(node.value, (bool, int, float, str)):
            return repr(node.value)
        return self.fail(node, "only numbers and texts are written here")

    def number(self, node: "Any") -> str:
        """A number, before 3.8."""
        return repr(node.n)

    def text(self, node: "Any") -> str:
        """A text, before 3.8."""
        return repr(node.s)

    def named(self, node: "Any") -> str:
        """None, True, False, before 3.8."""
        return repr(node.value)


def condition(text: str, names: "tuple[str, ...] | None", method: bool = False) -> str:
    """The function of `--where`, as Python for the agent; raises ExpressionError."""
    writer = Writer(names, method)
    return LAMBDA + writer.truth(parsed(text))


def values(
    text: str, names: "tuple[str, ...] | None", method: bool = False
) -> "list[tuple[str, str]]":
    """(words, function) of each expression of `--show`; raises ExpressionError."""
    found = []
    for words, node in several(text):
        if isinstance(node, ast.Name) and node.id == "params":
            continue
        writer = Writer(names, method)
        found.append((writer.label(node) or words, LAMBDA + writer.write(node)))
    return found
