"""Which chat templates the core renders as Jinja2 does.

The core's crate reads the same language with other values and other functions. A template is
rendered by it if it is of parts of the language that are known to give the same text; what depends
on values is told by the core itself, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What `rust/core/src/chat` has.
_FILTERS = _words("""
    tojson trim length count string safe default d join items list first last upper
    lower capitalize title replace int map select reject selectattr rejectattr dictsort
    sort unique reverse indent
""")
_TESTS = _words("""
    defined undefined none string boolean number integer float mapping sequence iterable
    true false eq equalto == ne != in odd even divisibleby
""")
_METHODS = _words("""
    strip lstrip rstrip split rsplit splitlines startswith endswith replace upper lower
    title capitalize isdigit isnumeric isdecimal isalpha isalnum isspace find rfind
    count join removeprefix removesuffix items keys values get
""")
_FUNCTIONS = frozenset(("namespace", "range", "raise_exception", "strftime_now"))
_UNKNOWN = frozenset(("lipsum", "dict", "cycler", "joiner", "self", "varargs", "kwargs"))
_OF_DICTS = _words("""
    clear copy fromkeys get items keys pop popitem setdefault update values
""")
# In Jinja2 an attribute of a text or a list is its method.
_OF_OTHERS = (
    frozenset(
        name
        for kind in (str, list, tuple, int, float, bool)
        for name in dir(kind)
        if not name.startswith("_")
    )
    - _OF_DICTS
)
_NODES = _words("""
    Template Output TemplateData Name Const Tuple List Dict Pair For If Assign
    AssignBlock Macro CallBlock FilterBlock With Getattr Getitem Slice Call Keyword
    Filter Test Compare Operand And Or Not Neg Add Sub Mul Div FloorDiv Mod Concat
    CondExpr NSRef Break Continue ExtensionAttribute
""")
_ESCAPES = re.compile(r"""\\(?:[nrt'"\\]|x[0-7][0-9a-fA-F]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})""")
_GENERATION = re.compile(r"\{%[-+]?\s*generation\b")
_RESERVED = re.compile(r"__(gen__|iter__|item_)")
# What a text that is marked as safe may be given to: elsewhere it makes others escaped.
_TAKE_SAFE = _words("""
    Output Concat CondExpr Assign Compare Operand Test If And Or Not Keyword
""")
_PASS_SAFE = _words("""
    safe trim string default d tojson length
""")


def has_generation_blocks(template: str) -> bool:
    """Return whether a template says itself what the model is to say."""
    return _GENERATION.search(template) is not None


def reasons(template: str, environment: Any) -> list[str]:
    """Return why the core does not render a template; nothing if it does.

    Args:
        template: The source.
        environment: The environment of Jinja2 that reads it, as in transformers.

    Raises:
        jinja2.TemplateSyntaxError: It is no template.
    """
    tree = environment.parse(template)
    found = _Reading(tree).reasons()
    if _RESERVED.search(template):
        found.append("it has names that the core uses itself")
    lines = template.replace("\r\n", "\n").replace("\r", "\n")
    for _, kind, text in environment.lex(lines):
        if kind == "string" and "\\" in _ESCAPES.sub("", text):
            found.append(f"it has the escape {text:.30}")
    return sorted(set(found))


def formats_of_time(template: str, environment: Any) -> list[str]:
    """Return the formats in which a template asks for the time."""
    from jinja2 import nodes

    return sorted(
        {
            call.args[0].value
            for call in environment.parse(template).find_all(nodes.Call)
            if isinstance(call.node, nodes.Name)
            and call.node.name == "strftime_now"
            and len(call.args) == 1
            and isinstance(call.args[0], nodes.Const)
        }
    )


def _kind(node: Any) -> str:
    return type(node).__name__


def _names_in(node: Any) -> Iterator[str]:
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        yield node.name
    for name in node.find_all(nodes.Name):
        yield name.name


class _Reading:
    """A template's tree, read for what the core does not do as Jinja2 does."""

    def __init__(self, tree: Any) -> None:
        from jinja2 import nodes

        self._tree = tree
        self._found: list[str] = []
        self._macros = {macro.name for macro in tree.find_all(nodes.Macro)}
        set_names = (name.name for name in tree.find_all(nodes.Name) if name.ctx != "load")
        self._assigned = {*set_names} | self._macros
        self._namespaces = self._only_namespaces()
        self._safe: set[str] = set()
        self._find_safe()

    def reasons(self) -> list[str]:
        """Return what was found."""
        taken = self._assigned & (_FUNCTIONS | {"loop", "caller"})
        if taken:
            self._found.append(f"it sets {', '.join(sorted(taken))}")
        self._walk(self._tree, None)
        return self._found

    def _only_namespaces(self) -> set[str]:
        """Return the names that are namespaces and nothing else."""
        from jinja2 import nodes

        made: set[str] = set()
        other: set[str] = set()
        for assign in self._tree.find_all(nodes.Assign):
            if isinstance(assign.target, nodes.Name):
                call = assign.node
                named = isinstance(call, nodes.Call) and isinstance(call.node, nodes.Name)
                is_one = named and call.node.name == "namespace"
                (made if is_one else other).add(assign.target.name)
        for loop in self._tree.find_all(nodes.For):
            other.update(_names_in(loop.target))
        for macro in self._tree.find_all(nodes.Macro):
            other.update(name.name for name in macro.args)
        return made - other

    def _find_safe(self) -> None:
        """Find the names that may hold a text that is marked as safe."""
        from jinja2 import nodes

        for _ in range(4):
            for assign in self._tree.find_all(nodes.Assign):
                if self._is_safe(assign.node):
                    if isinstance(assign.target, nodes.Name):
                        self._safe.add(assign.target.name)
                    else:
                        self._found.append("it keeps a safe text")

    def _is_safe(self, node: Any) -> bool:
        """Return whether an expression may be a text that is marked as safe."""
        kind = _kind(node)
        if kind == "Filter":
            passes = node.name in {"trim", "string", "default", "d", "first", "last"}
            return node.name == "safe" or (
                passes and node.node is not None and self._is_safe(node.node)
            )
        if kind == "Name":
            return node.ctx == "load" and node.name in self._safe
        if kind == "CondExpr":
            return self._is_safe(node.expr1) or (
                node.expr2 is not None and self._is_safe(node.expr2)
            )
        return kind in {"Or", "And"} and (self._is_safe(node.left) or self._is_safe(node.right))

    def _walk(self, node: Any, parent: Any) -> None:
        kind = _kind(node)
        if kind not in _NODES:
            self._found.append(f"it has {kind}")
            return
        done = None
        if kind == "Call":
            done = node.node
        check = getattr(self, f"_check_{kind.lower()}", None)
        if check is not None:
            self._found += check(node, parent)
        takes_safe = kind in _TAKE_SAFE or (kind == "Filter" and node.name in _PASS_SAFE)
        for child in node.iter_child_nodes():
            if child is done:
                continue
            if not takes_safe and self._is_safe(child):
                self._found.append(f"it gives a safe text to {kind}")
            self._walk(child, node)

    def _check_call(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        of = node.node
        if node.dyn_args or node.dyn_kwargs:
            yield "it has calls with * or **"
        if _kind(of) == "Getattr":
            cycles = _kind(of.node) == "Name" and (of.node.name, of.attr) == ("loop", "cycle")
            if of.attr not in _METHODS and not cycles:
                yield f"it calls .{of.attr}()"
            if self._is_safe(of.node):
                yield "it calls a method of a safe text"
            self._walk(of.node, of)
        elif _kind(of) == "Name":
            if of.name not in self._macros | _FUNCTIONS | {"caller"}:
                yield f"it calls {of.name}()"
            if of.name == "strftime_now" and [_kind(one) for one in node.args] != ["Const"]:
                yield "it asks for the time in a format that it makes"
        elif _kind(of) != "ExtensionAttribute":
            yield "it calls what an expression gives"

    def _check_getattr(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        own = _kind(node.node) == "Name" and node.node.name in self._namespaces | {"loop"}
        if node.attr.startswith("_") or (node.attr in _OF_OTHERS and not own):
            yield f"it reads .{node.attr}"

    def _check_getitem(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        key = node.arg.value if _kind(node.arg) == "Const" else None
        of_others = isinstance(key, str) and (key in _OF_OTHERS or key.startswith("_"))
        if isinstance(key, float) or of_others:
            yield f"it reads [{key!r}]"

    def _check_filter(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        if node.name not in _FILTERS:
            yield f"it has the filter {node.name}"
        given = [one.value if _kind(one) == "Const" else None for one in node.args]
        if node.name == "map" and given and given[0] not in _FILTERS - {"map", "safe"}:
            yield "it maps another filter"
        at = {"select": 0, "reject": 0, "selectattr": 1, "rejectattr": 1}.get(node.name)
        if at is not None and len(given) > at and given[at] not in _TESTS:
            yield "it selects by another test"

    def _check_test(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        if node.name not in _TESTS:
            yield f"it has the test {node.name}"

    def _check_name(self, node: Any, parent: Any) -> Iterator[str]:
        if node.ctx != "load":
            return
        name, above = node.name, _kind(parent)
        if name in self._namespaces and above not in {"Getattr", "Call"}:
            yield "it has a namespace as a value"
        if name in _UNKNOWN and name not in self._assigned:
            yield f"it uses {name}"
        asked = above == "Test" and parent.name in {"defined", "undefined"}
        function = name in self._macros | _FUNCTIONS and not asked
        if function or name == "caller" or (name == "loop" and above != "Getattr"):
            yield f"it has {name} as a value"

    def _check_macro(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        own = {argument.name for argument in node.args}
        if any(own & {*_names_in(default)} for default in node.defaults):
            yield "it has a macro of which one argument is by default another"

    def _check_with(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        own = {name for target in node.targets for name in _names_in(target)}
        if any(own & {*_names_in(value)} for value in node.values):
            yield "it has a with that uses its own names"

    def _check_for(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        if node.recursive:
            yield "it has a loop that is recursive"

    def _check_compare(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        for operand, left, right in zip(node.ops, sides, sides[1:], strict=False):
            ordered = operand.op in {"lt", "gt", "lteq", "gteq"}
            if ordered and not (self._is_number(left) and self._is_number(right)):
                yield "it orders values that may be no numbers"

    def _is_number(self, node: Any) -> bool:
        """Return whether an expression is a number, or an error in Jinja2 and in the core."""
        kind = _kind(node)
        if kind == "Const":
            return isinstance(node.value, (int, float))
        if kind == "Filter":
            return node.name in {"length", "count", "int"}
        if kind == "Getattr":
            return _kind(node.node) == "Name" and node.node.name in self._namespaces | {"loop"}
        if kind in {"Add", "Sub", "Mul", "Mod", "FloorDiv"}:
            return self._is_number(node.left) and self._is_number(node.right)
        return (kind == "Neg" and self._is_number(node.node)) or (
            kind == "Name" and node.name in self._assigned
        )

    def _check_concat(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        if any(_kind(one) in {"List", "Dict", "Tuple"} for one in node.nodes):
            yield "it joins a literal by ~"

    def _check_mod(self, node: Any, parent: Any) -> Iterator[str]:  # noqa: ARG002
        if _kind(node.left) == "Const" and isinstance(node.left.value, str):
            yield "it formats by %"
