"""Code that stands in for a function's own: it calls the original and has the same face.

The new code has the same parameters, flags and names, so that nobody who asks for its signature or kind sees another.
Generators, coroutines and asynchronous generators are driven by hand: what is sent, thrown and closed is passed on,
and the time inside is told apart from the time that they are suspended.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.agent.boot import clock, modules
    from locard.far.agent.reading import Function, class_name

get_code = Function.__dict__["__code__"].__get__
set_code = Function.__dict__["__code__"].__set__
VERSION = modules["sys"].version_info
MARK = "watched by locard"
ITERABLE = 0x100  # CO_ITERABLE_COROUTINE

HEAD = """def _make():
{free} {kind}def f({signature}):
{uses}{enter}"""
PLAIN_BODY = """
  {p}C = "@clock"; {p}F = "@original"; {p}X = "@raised"; {p}R = "@returned"; {p}Z = "@all"; {p}N = "@inside"
  {p}N[0] += 1
  if {p}N[0] > 60: {p}D = "@deep"; {p}D()
  {p}T = {p}C()
  try:
   {p}V = {p}F({call})
  except {p}Z as {p}E:
   {p}X({p}T, ({values}), {p}E)
   raise
  {p}R({p}T, ({values}), {p}V)
  return {p}V
"""
COROUTINE_BODY = """
  {p}B = "@begin"; {p}F = "@original"; {p}X = "@failed"; {p}R = "@ended"; {p}D = "@drive"; {p}Z = "@all"
  {p}T = {p}B(({values}))
  try:
   {p}V = await {p}D({p}F({call}), {p}T)
  except {p}Z as {p}E:
   {p}X({p}T, ({values}), {p}E)
   raise
  {p}R({p}T, ({values}), {p}V)
  return {p}V
"""
GENERATOR_BODY = """
  {p}B = "@begin"; {p}F = "@original"; {p}X = "@failed"; {p}R = "@ended"; {p}C = "@clock"; {p}N = "@thrown"
  {p}Z = "@all"; {p}W = "@stop"
  {p}T = {p}B(({values}))
  {p}G = {p}F({call})
  {p}E = None; {p}V = None
  while True:
   {p}A = {p}C()
   try:
    if {p}E is None: {p}Y = {p}G.send({p}V)
    else: {p}Y = {p}G.throw({p}E)
   except {p}W as {p}S:
    {p}E = None; {p}T[1] += {p}C() - {p}A
    {p}R({p}T, ({values}), {p}S.value)
    return {p}S.value
   except {p}Z as {p}S:
    {p}E = None; {p}T[1] += {p}C() - {p}A
    {p}X({p}T, ({values}), {p}S)
    raise
   {p}T[1] += {p}C() - {p}A; {p}T[2] += 1; {p}E = None
   try: {p}V = yield {p}Y
   except {p}Z as {p}S: {p}E = {p}S; {p}N({p}T, {p}S)
   {p}Y = None
"""
ASYNC_GENERATOR_BODY = """
  {p}B = "@begin"; {p}F = "@original"; {p}X = "@failed"; {p}R = "@ended"; {p}D = "@drive"; {p}N = "@thrown"
  {p}Z = "@all"; {p}W = "@async stop"
  {p}T = {p}B(({values}))
  {p}G = {p}F({call})
  {p}E = None; {p}V = None
  while True:
   try:
    if {p}E is None: {p}Y = await {p}D({p}G.asend({p}V), {p}T)
    else: {p}Y = await {p}D({p}G.athrow({p}E), {p}T)
   except {p}W:
    {p}E = None
    {p}R({p}T, ({values}), None)
    return
   except {p}Z as {p}S:
    {p}E = None
    {p}X({p}T, ({values}), {p}S)
    raise
   {p}T[2] += 1; {p}E = None
   try: {p}V = yield {p}Y
   except {p}Z as {p}S: {p}E = {p}S; {p}N({p}T, {p}S)
   {p}Y = None
"""


def drive(inner: "Any", record: "list[Any]") -> "Any":
    """Await something by hand, and add up the time inside."""
    thrown = sent = None
    tree = record[4]
    while True:
        began = clock()
        looks = tree is not None and tree.begin()
        try:
            given = inner.send(sent) if thrown is None else inner.throw(thrown)
        except StopIteration as end:
            return end.value
        finally:
            thrown = None
            if looks:
                tree.end()
            record[1] += clock() - began
        try:
            sent = yield given
        except BaseException as error:
            thrown = error
            note_thrown(record, error)
        given = None


def note_thrown(record: "list[Any]", error: BaseException) -> None:
    """What was thrown into it."""
    if type(error) is not GeneratorExit:
        record[3] = class_name(type(error))


ENTER = """  {p}I = "@entered"; {p}I(({values}))
"""
TREE = """  {p}I = "@tree"; {p}I()
"""


class Signature:
    """The parameters of a code object, and how they are passed on."""

    __slots__ = ("call", "names", "prefix", "values", "written")

    def __init__(self, code: "Any") -> None:
        """Raises ValueError where a name of it cannot be written."""
        count, keywords, names = code.co_argcount, code.co_kwonlyargcount, code.co_varnames
        plain, only = names[:count], names[count : count + keywords]
        rest = list(names[count + keywords :])
        star = "*" + rest.pop(0) if code.co_flags & 4 else ""
        double = "**" + rest.pop(0) if code.co_flags & 8 else ""
        first = code.co_posonlyargcount
        written = [*plain[:first], "/", *plain[first:]] if first else list(plain)
        written += [star] if star else ["*"] if only else []
        self.written = ", ".join([*written, *only, *([double] if double else [])])
        passed = [
            *plain,
            *([star] if star else []),
            *[k + "=" + k for k in only],
            *([double] if double else []),
        ]
        self.call = ", ".join(passed)
        self.names = (
            *plain,
            *([star[1:]] if star else []),
            *only,
            *([double[2:]] if double else []),
        )
        self.values = ", ".join(self.names) + ("," if self.names else "")
        self.prefix = "_l"
        while any(name.startswith(self.prefix) for name in names + code.co_freevars):
            self.prefix += "_"
        for name in self.names + code.co_freevars:
            if not name.isidentifier():
                raise ValueError("a parameter is called %r" % name)


def exchanged(code: "Any", given: "dict[str, Any]", before: bool, tree: bool) -> "Any":
    """Code that calls the original of a function, with the same face.

    `before`: it tells what it is called with; `tree`: what it calls is looked at.
    """
    enter = ENTER if before else ""
    if tree and not code.co_flags & 0x2A0:
        enter += TREE
    signature = Signature(code)
    flags = code.co_flags
    body = PLAIN_BODY
    if flags & 0x200:
        body = ASYNC_GENERATOR_BODY
    elif flags & 0x80:
        body = COROUTINE_BODY
    elif flags & 0x20:
        body = GENERATOR_BODY
    free = code.co_freevars
    text = HEAD.format(
        free="".join(" %s = 0\n" % name for name in free), kind="async " if flags & 0x280 else "",
        signature=signature.written,
        uses="".join("  if 0: %s\n" % name for name in free),
        enter=enter.format(p=signature.prefix, values=signature.values),
    ) + body.format(p=signature.prefix, call=signature.call, values=signature.values) + " return f\n"  # fmt: skip
    space = {}  # type: dict[str, Any]
    exec(compile(text, "<locard>", "exec", 0, True), space)
    made = get_code(space["_make"]())
    if made.co_freevars != free:
        raise ValueError("its closure cannot be passed on")
    new = {
        "co_consts": (*(given.get(c, c) if type(c) is str else c for c in made.co_consts), MARK),
        "co_name": code.co_name, "co_filename": code.co_filename, "co_firstlineno": code.co_firstlineno,
        "co_flags": made.co_flags | flags & ITERABLE,
    }  # fmt: skip
    if hasattr(code, "co_qualname"):
        new["co_qualname"] = code.co_qualname
    # Where our frame cannot be taken out of a traceback it stands at the line of the `def`.
    if VERSION < (3, 10):
        new["co_lnotab"] = b""
    elif VERSION < (3, 11):
        size = len(made.co_code)
        new["co_linetable"] = b"\xfe\0" * (size // 254) + bytes((size % 254, 0))
    return made.replace(**new)


set_code(drive, get_code(drive).replace(co_flags=get_code(drive).co_flags | ITERABLE))
drive_code = get_code(drive)
