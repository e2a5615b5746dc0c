"""Tests of scripts/module-graph on small crates: `python3 -m unittest discover -s scripts -p 'test_*.py'`."""

import contextlib
import importlib.machinery
import importlib.util
import io
import re
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))

import rust_modules  # noqa: E402

loader = importlib.machinery.SourceFileLoader("module_graph", str(SCRIPTS / "module-graph"))
module_graph = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
loader.exec_module(module_graph)


def run(files: dict[str, str], name: str = "fixture", *options: str) -> tuple[int, str]:
    """Exit code and all output for a package `name` with the files, by their paths under its folder."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "package"
        for file, text in {"Cargo.toml": f'[package]\nname = "{name}"\n', **files}.items():
            (package / file).parent.mkdir(parents=True, exist_ok=True)
            (package / file).write_text(text)
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            code = module_graph.main(["--root", folder, *options])
        return code, told.getvalue()


def library(name: str = "fixture", **modules: str) -> tuple[int, str]:
    """A library whose `lib.rs` declares the modules; `lib` is more of its text, `a__b` is src/a/b.rs."""
    more = modules.pop("lib", "")
    declared = "".join(f"mod {module};\n" for module in modules if "__" not in module)
    return run({"src/lib.rs": declared + more,
                **{f"src/{module.replace('__', '/')}.rs": text for module, text in modules.items()}}, name)


class Graph(unittest.TestCase):
    def assert_cycle(self, outcome: tuple[int, str], *lines: str):
        """The outcome names one cycle, by exactly these `file:line imports path`."""
        code, told = outcome
        self.assertEqual((code, told.count(": cycle ")), (1, 1), told)
        found = re.findall(r"^    package/src/(.*), of", told, re.MULTILINE)
        self.assertEqual(sorted(found), sorted(lines), told)

    def assert_clean(self, outcome: tuple[int, str]):
        self.assertEqual(outcome[0], 0, outcome[1])


class EveryPathCounts(Graph):
    B = "pub struct B; impl B { fn a(&self) { crate::a::f() } }"

    def test_a_use_line(self):
        for use in ("use crate::b::B;", "use crate::b::{self, B as C};", "use super::{b::{B}};", "pub(crate) use crate::b::B;",
                    "fn g() { use crate::b::B; }", "use crate::{b};\nuse b::B;", "use self::super::b::B;"):
            code, told = library(a=f"pub fn f() {{}}\n{use}", b=self.B)
            self.assertEqual(code, 1, use)
            self.assertIn("cycle a → b → a", told, use)
        self.assert_cycle(library(a="use crate::b::B;\npub fn f() {}", b=self.B),
                          "a.rs:1 imports crate::b::B", "b.rs:1 imports crate::a::f")

    def test_an_inline_path(self):
        for text in ("fn g(_: crate::b::B) {}", "fn g() -> Vec<super::b::B> { todo!() }", "impl Into<crate::b::B> for () {}",
                     'fn g() { println!("{:?}", crate::b::B) }', "use crate::b;\nfn g(_: b::B) {}",
                     "const N: usize = <crate::b::B as Sized>::N;", "macro_rules! m { () => { $crate::b::B } }",
                     '#[serde(with = "crate::b::B")] struct S;'):
            code, told = library(a=f"pub fn f() {{}}\n{text}", b=self.B)
            self.assertEqual(code, 1, text)
            self.assertIn("cycle a → b → a", told, text)

    def test_a_path_with_super(self):
        self.assert_cycle(library(room="mod a;\nmod b;\n", room__a="pub fn f() { super::b::g() }",
                                  room__b="\npub fn g() { super::a::f() }"),
                          "room/a.rs:1 imports super::b::g", "room/b.rs:2 imports super::a::f")

    def test_a_glob_brings_what_is_mentioned(self):
        b = "pub struct B; pub struct C; pub fn g() { crate::a::f() }"
        self.assert_clean(library(a="use crate::b::*;\npub fn f() {}", b=b))
        self.assert_cycle(library(a="use crate::b::*;\npub fn f() -> Option<C> { None }", b=b),
                          "a.rs:2 imports C", "b.rs:1 imports crate::a::f")
        self.assertEqual(library(a="use crate::b::*;\npub fn f() {}", b=b + "pub trait T {}")[0], 1)

    def test_a_cycle_of_three_through_folders(self):
        self.assert_cycle(library(a="mod x;", a__x="use crate::b::y::Y; pub struct X;", b="pub(crate) mod y;",
                                  b__y="pub struct Y; fn f() { crate::c::g() }", c="pub fn g() { crate::a::x::X; }"),
                          "a/x.rs:1 imports crate::b::y::Y", "b/y.rs:1 imports crate::c::g", "c.rs:1 imports crate::a::x::X")

    def test_a_textual_macro(self):
        self.assert_cycle(library(a="macro_rules! m { () => {} }\nfn f() { crate::b::g() }", b="pub fn g() { m!() }"),
                          "a.rs:2 imports crate::b::g", "b.rs:1 imports m!")


class WhatDoesNotCount(Graph):
    def test_a_clean_crate(self):
        self.assert_clean(library(a="use std::fmt; pub struct A;", b="use crate::a::A; pub fn f(_: A) {}",
                                  c="pub fn g() { crate::b::f(crate::a::A) }", lib="pub use c::g;"))

    def test_tests_comments_and_strings(self):
        for text in ("#[cfg(test)]\nmod tests { use crate::b::B; }", "#[cfg(test)] use crate::b::B;",
                     "#[cfg(all(test, unix))] fn f2() { crate::b::B; }", "#[test] fn f2() { crate::b::B; }",
                     "/// [`crate::b::B`]\nfn g() {}", "// crate::b::B\n/* /* */ crate::b::B */",
                     'const S: &str = "\\" crate::b::B";', 'const S: &str = r#"" crate::b::B"#;',
                     "fn g<'a>(c: char) -> bool { c == '\"' || c == '\\'' } // \" crate::b::B"):
            self.assert_clean(library(a=f"pub fn f() {{}}\n{text}", b=EveryPathCounts.B))
        code, _ = library(a="#[cfg(test)] mod tests {}\npub fn f() {}\nuse crate::b::B;", b=EveryPathCounts.B)
        self.assertEqual(code, 1, "what follows the tests counts")
        code, _ = library(a="#[cfg(any(test, unix))] use crate::b::B;\npub fn f() {}", b=EveryPathCounts.B)
        self.assertEqual(code, 1, "what not only tests compile counts")

    def test_a_file_of_tests_is_not_read(self):
        self.assert_clean(library(a="#[cfg(test)]\nmod fit;\npub fn f() {}", b=EveryPathCounts.B))

    def test_names_that_are_not_the_modules(self):
        self.assert_clean(library(a="struct S { b: u8 } fn f(b: S) -> u8 { b.b }\nfn g() { std::b::c() }\nuse ::b::B;",
                                  b="use crate::a;\nfn f() { a::f }"))


class ParentsAndChildren(Graph):
    CHILD = "use super::Top; pub struct Part(Top);"

    def test_declaring_and_re_exporting_is_no_import(self):
        for re_export in ("pub use part::Part;", "pub(crate) use part::{Part as P};", "pub use self::part::*;", ""):
            self.assert_clean(library(room=f"mod part;\n{re_export}\npub struct Top;", room__part=self.CHILD))

    def test_a_child_may_name_its_parent_to_reach_a_sibling(self):
        self.assert_clean(library(room="mod a;\nmod b;\nuse a::A;", room__b="pub fn f() {}",
                                  room__a="use crate::room; pub struct A; fn g() { room::b::f() }"))

    def test_fields_and_methods_that_are_named_as_a_re_export(self):
        for text in ("struct S { part: u8 }", "fn f(x: X) { x.part() }", "fn f() { Vec::<u8>::part() }"):
            self.assert_clean(library(room=f"mod a;\npub use a::part;\npub struct Top;\n{text}",
                                      room__a="use super::Top; pub fn part() {}"))

    def test_using_an_item_of_a_child_is(self):
        for use in ("use part::Part;\n", "pub use part::Part;\nfn f(_: Part) {}", "pub use part::*;\nfn f(_: Part) {}",
                    "fn f(_: part::Part) {}"):
            code, told = library(room=f"mod part;\n{use}\npub struct Top;", room__part=self.CHILD)
            self.assertEqual(code, 1, use)
            self.assertIn("cycle part → room.rs → part", told)

    def test_siblings_through_the_parents_re_export(self):
        self.assert_cycle(library(room="mod a;\nmod b;\npub use a::A;\npub use b::B;", room__a="use super::B; pub struct A;",
                                  room__b="use crate::room::A; pub struct B;"),
                          "room/a.rs:1 imports super::B", "room/b.rs:1 imports crate::room::A")

    def test_a_re_export_of_another_room_is_an_import_of_both(self):
        code, told = library(a="pub use crate::b::B; pub fn f() {}", b="pub struct B; fn g() { crate::c::h() }",
                             c="pub fn h() {} fn i(_: crate::a::B) {}")
        self.assertEqual(code, 1)
        self.assertIn("cycle b → c → b", told)
        self.assertIn("cycle a → b → c → a", told)

    def test_a_module_written_inside_a_file(self):
        self.assert_cycle(library(a="mod inner { pub fn f() { super::N; } }\nconst N: u8 = 0;\nfn g() { inner::f() }"),
                          "a.rs:1 imports super::N", "a.rs:3 imports inner::f")


class TheRoot(Graph):
    LIB = "pub use a::A;\npub use b::B;"

    def test_a_cycle_through_a_re_export_of_the_root(self):
        self.assert_cycle(library(a="use crate::B; pub struct A;", b="use super::A; pub struct B;", lib=self.LIB),
                          "a.rs:1 imports crate::B", "b.rs:1 imports super::A")

    def test_naming_through_the_root_is_refused_in_some_crates(self):
        for use in ("use crate::A;\nfn f() { A::new() }", "fn f(_: crate::A) {}", "fn f() { super::A::new() }", "use crate::{A as C};",
                    "use crate::*;\nfn f(_: A) {}"):
            outcome = dict(a="pub struct A;", b=f"{use}\npub struct B;", lib=self.LIB)
            self.assert_clean(library(**outcome))
            code, told = library("pointwise", **outcome)
            self.assertEqual((code, told.count("through the crate's root")), (1, 1), use + told)
            self.assertRegex(told, r"package/src/b\.rs:\d imports .*A.*, of a: through")
        self.assert_clean(library("pointwise", a="pub struct A;", b="use crate::a::A;\npub struct B; fn f(_: A) {}", lib=self.LIB))
        self.assert_clean(library("pointwise", a="pub struct A;", lib="pub use a::A;\npub fn f(_: crate::A) {}"))

    def test_a_function_that_is_named_as_its_module(self):
        modules = dict(a="pub fn a() {}\npub fn f() {}", lib="pub use a::a;")
        self.assert_clean(library("pointwise", b="fn g() { crate::a::f(); crate::a::a() }", **modules))
        self.assertIn("through", library("pointwise", b="fn g() { crate::a() }", **modules)[1])


class Rooms(Graph):
    def test_a_room_imports_only_rooms_before_it(self):
        modules = dict(describe="pub struct Layer;", cut="use crate::describe::Layer; pub struct Tiles;")
        self.assert_clean(library("pointwise", choose="use crate::cut::Tiles;", lib="pub use choose::*;", **modules))
        code, told = library("pointwise", cpu="\nfn f() { super::cut::Tiles }", **modules)
        self.assertEqual((code, told.count("may not")), (1, 1))
        self.assertIn("cpu may not import cut: cpu → cut\n    package/src/cpu.rs:2 imports super::cut::Tiles, of cut", told)
        self.assert_clean(library("another", cpu="use crate::cut::Tiles;", **modules))

    def test_nor_by_way_of_modules_without_a_place(self):
        code, told = library("pointwise", describe="use crate::leftover::f;", leftover="pub fn f() { crate::plan::g() }",
                             plan="pub fn g() {}")
        self.assertEqual(code, 1)
        self.assertIn("describe may not import plan: describe → leftover → plan", told)

    def test_every_room_of_the_table_is_checked_against_each_later_one(self):
        rooms = module_graph.ROOMS["pointwise"]
        for early, late in zip(rooms, rooms[1:]):
            code, told = library("pointwise", **{early: f"use crate::{late}::x;", late: "pub fn x() {}"})
            self.assertIn(f"{early} may not import {late}", told)
            self.assertEqual(code, 1)


class Files(Graph):
    def test_every_kind_of_crate_is_read(self):
        cycle = "mod a { fn f() { super::b::g() } }\nmod b { fn g() { super::a::f() } }"
        for file in ("src/lib.rs", "src/main.rs", "src/bin/x.rs", "examples/x.rs", "benches/x.rs"):
            self.assertEqual(run({file: cycle})[0], 1, file)
        self.assertEqual(run({"src/lib.rs": "", "tests/x.rs": cycle})[0], 0)
        self.assertEqual(run({"examples/x.rs": '#[path = "../tests/y/mod.rs"] mod y;', "tests/y/mod.rs": cycle})[0], 0)
        manifest = '[package]\nname = "fixture"\n[[bin]]\nname = "x"\npath = "targets/x.rs"\n'
        self.assertEqual(run({"Cargo.toml": manifest, "targets/x.rs": cycle})[0], 1)

    def test_a_path_attribute_and_a_folder_with_mod_rs(self):
        self.assert_cycle(run({"src/lib.rs": '#[path = "elsewhere/one.rs"]\nmod a;\nmod b;',
                               "src/elsewhere/one.rs": "mod c;", "src/elsewhere/c.rs": "use crate::b::d::D; pub struct C;",
                               "src/b/mod.rs": "pub mod d;", "src/b/d.rs": "pub struct D; fn f() { crate::a::c::C }"}),
                          "elsewhere/c.rs:1 imports crate::b::d::D", "b/d.rs:1 imports crate::a::c::C")

    def test_a_file_that_is_missing_is_told(self):
        code, told = run({"src/lib.rs": "\nmod a;"})
        self.assertEqual(code, 2)
        self.assertRegex(told, r"src/lib\.rs:2: module a has no file .*src/a\.rs")
        self.assertEqual(run({})[0], 2)

    def test_print_shows_edges(self):
        code, told = run({"src/lib.rs": "mod a;\nmod b;", "src/a.rs": "pub fn f() {}", "src/b.rs": "fn g() { crate::a::f() }"},
                         "fixture", "--print")
        self.assertEqual(code, 0)
        self.assertIn("b → a  1  package/src/b.rs:1 imports crate::a::f, of a", told)


class Tokens(unittest.TestCase):
    def test_lines_are_counted_through_everything(self):
        text = "/* a\n/* b */ \n*/ x\n\"c\\\"\n\" y r##\"\n\"#\"## z 'a 'b' '\\u{41}' // q\nw"
        names = {t.text: t.line for t in rust_modules.tokens_of(text) if t.kind == "id"}
        self.assertEqual(names, {"x": 3, "y": 5, "z": 6, "w": 7})


if __name__ == "__main__":
    unittest.main()
