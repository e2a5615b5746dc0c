"""The modules of a Rust crate and what each names in which other, read from the source text.

`Crate(root_file)` reads the crate's files. `Crate.imports()` then lists every place where a module names
something of another module. scripts/module-graph says which places count, and judges them.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, NamedTuple

TOKEN = re.compile(r"""
    (?P<skip>\s+|//[^\n]*)
  | (?P<block>/\*)
  | (?P<str>[bc]?r(?P<hashes>\#*)".*?"(?P=hashes)|[bc]?"(?:\\.|[^"\\])*")
  | (?P<char>b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^\\'])')
  | (?P<life>'\w+)
  | (?P<id>(?:r\#)?[^\W\d]\w*)
  | (?P<num>\d\w*(?:\.\d\w*)?)
  | (?P<punct>::|->|=>|\.\.=?|.)
""", re.VERBOSE | re.DOTALL)
OPEN, CLOSE = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}
ITEMS = {"fn", "struct", "enum", "union", "trait", "type", "const", "static"}
KEYWORDS = ITEMS - {"union"} | set(
    "as async await break continue crate dyn else extern false for if impl in let loop match mod move mut pub ref "
    "return self Self super true unsafe use where while".split())
# The keys of `#[serde(…)]` whose string is a path that the compiler follows.
SERDE_PATHS = {"with", "serialize_with", "deserialize_with", "default", "skip_serializing_if",
               "from", "try_from", "into", "remote"}


class Token(NamedTuple):
    kind: str
    text: str
    line: int


class BadSource(Exception):
    """A file that cannot be read as a module; the message says where and why."""


def tokens_of(text: str) -> list[Token]:
    """The tokens without whitespace and comments."""
    found, at, line = [], 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        kind, end = match.lastgroup, match.end()
        if kind == "block":
            depth = 1
            while depth and (edge := re.compile(r"/\*|\*/").search(text, end)):
                depth, end = depth + (1 if edge[0] == "/*" else -1), edge.end()
            end = len(text) if depth else end
        elif kind != "skip":
            found.append(Token(kind, match[0].removeprefix("r#") if kind == "id" else match[0], line))
        line += text.count("\n", at, end)
        at = end
    return found


def closing(tokens: list[Token], at: int) -> int:
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for index in range(at, len(tokens)):
        if tokens[index].kind == "punct":
            depth += (tokens[index].text in OPEN) - (tokens[index].text in CLOSE)
            if depth == 0:
                return index
    return len(tokens) - 1


def only_in_tests(attribute: list[Token]) -> bool:
    """Whether the attribute (the tokens between its brackets) keeps what follows out of all but tests."""
    words = [token.text for token in attribute]
    if words == ["test"]:
        return True
    if words[:2] != ["cfg", "("]:
        return False
    inner = words[2:-1]
    if inner[:2] == ["all", "("]:
        inner, depth, parts = inner[2:-1], 0, [[]]
        for word in inner:
            depth += (word in OPEN) - (word in CLOSE)
            parts.append([]) if word == "," and depth == 0 else parts[-1].append(word)
        return ["test"] in parts or ["doctest"] in parts
    return inner in (["test"], ["doctest"])


def end_of_item(tokens: list[Token], at: int) -> int:
    """The index after the item, statement, field or arm that begins at `at`."""
    first = at
    while first < len(tokens) and tokens[first].text == "pub":
        first = closing(tokens, first + 1) + 1 if tokens[first + 1].text == "(" else first + 1
    words = [token.text for token in tokens[first:first + 2]]
    to_semicolon = words[:1] and (words[0] in ("use", "let", "type") or
                                  words[0] in ("const", "static") and words[1:] not in (["fn"], ["unsafe"], ["async"]))
    is_item = words[:1] and (words[0] in KEYWORDS or words[0] == "macro_rules")
    while at < len(tokens):
        text = tokens[at].text if tokens[at].kind == "punct" else ""
        if text in CLOSE:
            return at
        if text in OPEN:
            at = closing(tokens, at)
            if text == "{" and not to_semicolon:
                return at + 1
        elif text == ";" or text == "," and not is_item:
            return at + 1
        at += 1
    return at


def without_tests(tokens: list[Token]) -> list[Token]:
    """The tokens without what only tests compile, and without attributes except serde's paths."""
    kept, at = [], 0
    while at < len(tokens):
        inner = tokens[at + 1].text == "!" if tokens[at].text == "#" and at + 2 < len(tokens) else False
        start = at + 1 + inner
        if tokens[at].text != "#" or start >= len(tokens) or tokens[start].text != "[":
            kept.append(tokens[at])
            at += 1
            continue
        end = closing(tokens, start)
        attribute = tokens[start + 1:end]
        at = end + 1
        if only_in_tests(attribute):
            if inner:
                return []
            while at + 1 < len(tokens) and tokens[at].text == "#" and tokens[at + 1].text == "[":
                at = closing(tokens, at + 1) + 1
            at = end_of_item(tokens, at)
        elif attribute and attribute[0].text in ("path", "serde"):
            kept += tokens[start - 1 - inner:start - inner] + tokens[start:end + 1]
    return kept


@dataclass(eq=False)
class Use:
    """One leaf of a `use` tree. `name` is `*` for a glob."""
    path: list[str]
    name: str
    public: bool
    line: int


@dataclass(eq=False)
class Named:
    """A path in the code, or a single name."""
    path: list[str]
    line: int
    called: bool


@dataclass(eq=False)
class Module:
    path: tuple[str, ...]
    file: Path
    folder: Path  # where the files of its child modules lie
    parent: "Module | None"
    children: dict[str, list["Module"]] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)
    traits: set[str] = field(default_factory=set)
    macros: set[str] = field(default_factory=set)
    uses: list[Use] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)

    def __str__(self):
        return "::".join(self.path) or self.file.name

    def above(self) -> Iterator["Module"]:
        """The module itself, its parent, and so on to the root."""
        module = self
        while module:
            yield module
            module = module.parent

    def holds(self, other: "Module") -> bool:
        return self in other.above()


class Found(NamedTuple):
    """What a path leads to: a module, or something that `module` defines."""
    module: Module
    is_module: bool
    via: tuple[Module, ...]  # the modules whose imports the path goes through


class Import(NamedTuple):
    """`source` names something of `target`."""
    source: Module
    target: Module
    line: int
    text: str


class Crate:
    def __init__(self, root: Path):
        self.modules: list[Module] = []
        self.macros: dict[str, list[Module]] = {}
        self.through_root: list[Import] = []
        self.root = self._file(root, (), root.parent, None)

    # Reading

    def _file(self, file: Path, path: tuple[str, ...], folder: Path, parent: Module | None) -> Module:
        try:
            tokens = without_tests(tokens_of(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise BadSource(f"{file}: cannot be read: {error}") from error
        module = Module(path, file, folder, parent)
        self._read(module, tokens)
        return module

    def _read(self, module: Module, tokens: list[Token]):
        self.modules.append(module)
        at, depth, transparent, given_path = 0, 0, [], None
        while at < len(tokens):
            token, before = tokens[at], tokens[at - 1].text if at else ""
            following = tokens[at + 1].text if at + 1 < len(tokens) else ""
            if token.text == "#" and following == "[":
                end = closing(tokens, at + 1)
                given_path = self._attribute(module, tokens[at + 2:end]) or given_path
                at = end
            elif token.kind == "punct":
                # The items of an `extern` block belong to the module around it.
                opens_extern = token.text == "{" and (before == "extern" or tokens[at - 2].text == "extern")
                if token.text in OPEN:
                    transparent.append(opens_extern)
                    depth += not opens_extern
                elif token.text in CLOSE and transparent:
                    depth -= not transparent.pop()
            elif token.kind == "id":
                if token.text == "use" and following != "<":
                    at = self._use(module, tokens, at)
                elif token.text == "mod" and at + 2 < len(tokens) and tokens[at + 2].text in (";", "{"):
                    at, given_path = self._child(module, tokens, at, given_path), None
                else:
                    self._item(module, tokens, at, depth)
                    at = self._path(module, tokens, at)
            at += 1

    def _attribute(self, module: Module, tokens: list[Token]) -> str | None:
        if tokens[0].text == "path":
            return tokens[-1].text.strip('"')
        for key, _, value in zip(tokens, tokens[1:], tokens[2:]):
            if key.text in SERDE_PATHS and value.kind == "str":
                module.named.append(Named(value.text.strip('"').split("::"), value.line, False))
        return None

    def _child(self, module: Module, tokens: list[Token], at: int, given_path: str | None) -> int:
        name, path = tokens[at + 1].text, module.path + (tokens[at + 1].text,)
        if tokens[at + 2].text == "{":
            end = closing(tokens, at + 2)
            child = Module(path, module.file, module.folder / name, module)
            self._read(child, tokens[at + 3:end])
        else:
            end = at + 2
            if given_path:
                file = (module.file.parent / given_path).resolve()
                folder = file.parent
            else:
                files = [module.folder / f"{name}.rs", module.folder / name / "mod.rs"]
                file = next((file for file in files if file.is_file()), files[0])
                folder = module.folder / name
            if not file.is_file():
                raise BadSource(f"{module.file}:{tokens[at].line}: module {name} has no file {file}")
            child = self._file(file, path, folder, module)
        module.children.setdefault(name, []).append(child)
        return end

    def _item(self, module: Module, tokens: list[Token], at: int, depth: int):
        keyword, following = tokens[at].text, tokens[at + 1:at + 4]
        before = tokens[at - 1].text if at else ""
        if keyword == "macro_rules" and len(following) > 1 and following[0].text == "!":
            module.macros.add(following[1].text)
            self.macros.setdefault(following[1].text, []).append(module)
        if depth or keyword not in ITEMS or before in ("*", "<", ",", "."):
            return
        if keyword == "static" and following and following[0].text == "mut":
            following = following[1:]
        if following and following[0].kind == "id" and following[0].text not in KEYWORDS:
            module.items.add(following[0].text)
            if keyword == "trait":
                module.traits.add(following[0].text)

    def _use(self, module: Module, tokens: list[Token], at: int) -> int:
        before = at - 1
        if before >= 0 and tokens[before].text == ")":
            while before > 0 and tokens[before].text != "(":
                before -= 1
            before -= 1
        public = before >= 0 and tokens[before].text == "pub"
        end = at
        while end < len(tokens) and tokens[end].text != ";":
            end += 1

        def tree(index: int, prefix: list[str]) -> int:
            path, name = list(prefix), None
            while index < end:
                token = tokens[index]
                if token.text == "{":
                    index += 1
                    while index < end and tokens[index].text != "}":
                        index = tree(index, path)
                        index += index < end and tokens[index].text == ","
                    return index + 1
                if token.text in (",", "}"):
                    break
                if token.text == "*":
                    name = "*"
                elif token.text == "as":
                    name = tokens[index + 1].text
                    index += 1
                elif token.text == "self" and path:
                    pass
                elif token.kind == "id":
                    path.append(token.text)
                elif token.text == "::" and not path:
                    path.append("::")
                index += 1
            if path:
                module.uses.append(Use(path, name or path[-1], public, tokens[min(index, end) - 1].line))
            return index

        tree(at + 1, [])
        return end

    def _path(self, module: Module, tokens: list[Token], at: int) -> int:
        """Notes the path that begins at `at`; returns the index of its last token."""
        path, last = [tokens[at].text], at
        while last + 2 < len(tokens) and tokens[last + 1].text == "::" and tokens[last + 2].kind == "id":
            path.append(tokens[last + 2].text)
            last += 2
        before = tokens[at - 1].text if at else ""
        following = tokens[last + 1].text if last + 1 < len(tokens) else ""
        if before in ("::", ".") or before == "$" and path[0] != "crate" or path[0] == "Self":
            return last
        if len(path) == 1 and (path[0] in KEYWORDS or following == ":"):
            return last
        if following == "!" and last + 2 < len(tokens) and tokens[last + 2].text in OPEN:
            path[-1] += "!"
        module.named.append(Named(path, tokens[at].line, following == "("))
        return last

    # Resolving

    def _candidates(self, module: Module, name: str, seen: frozenset) -> list[Found]:
        """What `name` is in `module`: a child, an item, an import; else what a glob brings."""
        is_macro, name = name.endswith("!"), name.removesuffix("!")
        found = [Found(child, True, ()) for child in module.children.get(name, []) if not is_macro]
        if name in module.items | module.macros:
            found.append(Found(module, False, ()))
        for globs in (False, True):
            if globs and found:
                break
            for use in module.uses:
                if (use.name == "*") != globs or use in seen or not globs and use.name != name:
                    continue
                for target in self.resolve(module, use.path, seen | {use}):
                    if not globs:
                        found.append(target._replace(via=(module, *target.via)))
                    elif target.is_module:
                        for f in self._candidates(target.module, name, seen | {use}):
                            found.append(f._replace(via=(module, *target.via, *f.via)))
        return found

    def _walk(self, module: Module, path: list[str], local: bool, seen: frozenset, called: bool) -> list[Found]:
        found = self._candidates(module, path[0], seen)
        if not found:
            # `crate::name!` is a macro that the crate exports, wherever its definition stands.
            if path[-1].endswith("!") and module is self.root:
                found = [Found(m, False, ()) for m in self.macros.get(path[0].removesuffix("!"), [])]
            if found:
                return found
            # Made by a macro, or of another crate. Where a module was named it counts as that module's.
            return [] if local else [Found(module, False, ())]
        if len(path) == 1:
            values = [f for f in found if not f.is_module]
            return values if called and values else found
        inside = [f for f in found if f.is_module]
        if not inside:
            return found  # what belongs to a type: a variant, a constant, a function
        return [f._replace(via=(*m.via, *f.via)) for m in inside
                for f in self._walk(m.module, path[1:], False, seen, called)]

    def resolve(self, module: Module, path: list[str], seen: frozenset = frozenset(), called: bool = False) -> list[Found]:
        """Where `path`, written in `module`, leads to; nothing if out of the crate."""
        if path[0] == "::":
            return []
        base, rest, local = module, path, True
        while rest and rest[0] in ("crate", "self", "super"):
            base = {"crate": self.root, "self": base, "super": base.parent or base}[rest[0]]
            rest, local = rest[1:], False
        if not rest:
            return [Found(base, True, ())]
        return self._walk(base, rest, local, seen, called)

    # What counts

    def imports(self) -> Iterator[Import]:
        """Each place where a module names something of another; see scripts/module-graph."""
        self.through_root = []
        for module in self.modules:
            own = {use.name: use for use in module.uses if use.name != "*"}
            re_exported = set()
            for use in module.uses:
                found = self.resolve(module, use.path, frozenset([use]))
                down = [f for f in found if use.public and f.module is not module and module.holds(f.module)]
                if down:
                    re_exported.add(use.name)
                kept = [f for f in found if f not in down]
                text = "::".join(use.path) + ("::*" if use.name == "*" else "")
                if use.name == "*" and not use.public:
                    # What a glob brings counts where it is named, below; traits work without being named.
                    kept = [f for f in found if not f.is_module] + [
                        t for f in found if f.is_module for t in self._traits(f.module)]
                yield from self._edges(module, kept, use.line, text, True)
            for named in module.named:
                first = named.path[0]
                if len(named.path) == 1 and first.endswith("!"):
                    found = self._candidates(module, first, frozenset()) or [
                        Found(m, False, ()) for m in self.macros.get(first[:-1], [])]
                    if module in [f.module for f in found]:
                        continue
                else:
                    found = self.resolve(module, named.path, called=named.called)
                # An import is counted where it stands; a re-export where the module itself uses it.
                if len(named.path) == 1 and first in own and first not in re_exported:
                    continue
                yield from self._edges(module, found, named.line, "::".join(named.path), first not in own)

    def _traits(self, module: Module) -> list[Found]:
        found = [Found(module, False, ())] if module.traits else []
        for use in module.uses:
            found += [f for f in self.resolve(module, use.path, frozenset([use]))
                      if not f.is_module and use.path[-1] in f.module.traits]
        return found

    def _edges(self, module: Module, found: list[Found], line: int, text: str, judged: bool) -> Iterator[Import]:
        # A name may mean a module and something of another kind; it is taken for the module.
        through_root = judged and module is not self.root and all(self.root in f.via for f in found)
        for f in found:
            if through_root:
                self.through_root.append(Import(module, f.module, line, text))
            related = f.module.holds(module) or module.holds(f.module)
            if f.module is not module and not (f.is_module and related):
                yield Import(module, f.module, line, text)
            for passed in f.via:
                if passed is not module and not passed.holds(f.module):
                    yield Import(module, passed, line, text)


if __name__ == "__main__":
    sys.exit("rust_modules: a part of scripts/module-graph, which is the one to run")
