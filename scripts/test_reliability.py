"""Tests of scripts/reliability and scripts/gate-trials: `python3 -m unittest discover -s scripts -p 'test_*.py'`."""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
SCRIPTS = Path(__file__).resolve().parent


def script(name: str):
    """A script without a suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


reliability = script("reliability")
gate_trials = script("gate-trials")

PAGE = "\n".join(["before", reliability.BEGIN, *reliability.HEAD, "| b | `y` | old b | 2020-01-01 | `1` | X |",
                  "| gone | `z` | old | 2020-01-01 | `1` | X |", reliability.END, "after\n"])


class Table(unittest.TestCase):
    def run_it(self, trials: dict[str, tuple[str, object]], *arguments: str, changed: str = "") -> tuple[int, str, str]:
        """Exit code, page and messages of a run over trials of shell commands."""
        listed = [reliability.Trial(row, command, "", result) for row, (command, result) in trials.items()]
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            page, told = Path(folder) / "PAGE.md", io.StringIO()
            page.write_text(PAGE)
            git = lambda *command: changed if command[0] == "status" else "abc1234"  # noqa: E731
            for name, value in (("PAGE", page), ("LOGS", Path(folder)), ("trials", lambda: listed), ("git", git), ("cpu", lambda: "Y")):
                stack.enter_context(mock.patch.object(reliability, name, value))
            stack.enter_context(contextlib.redirect_stdout(told))
            stack.enter_context(contextlib.redirect_stderr(told))
            try:
                code = reliability.main(list(arguments))
            except SystemExit as refused:
                code = refused.code
            return code, page.read_text(), told.getvalue()

    TWO = {"a": ("echo 7 layers", reliability.counted(r"^(\d+) layers", "tried")), "b": ("echo 8", lambda output: output.strip())}

    def test_rows_are_written_in_order_and_the_rest_stays(self):
        code, page, _ = self.run_it(self.TWO, "--only", "a")
        lines = page.splitlines()
        self.assertEqual((code, lines[0], lines[-1]), (0, "before", "after"))
        self.assertRegex(lines[4], r"^\| a \| `echo 7 layers` \| 7 tried \| \d{4}-\d\d-\d\d \| `abc1234` \| Y \|$")
        self.assertEqual(lines[5], "| b | `y` | old b | 2020-01-01 | `1` | X |")
        self.assertNotIn("gone", page)
        _, page, _ = self.run_it(self.TWO)
        self.assertIn("| b | `echo 8` | 8 |", page)
        self.assertNotIn("old b", page)

    def test_a_trial_that_fails_or_cannot_run_leaves_its_row(self):
        for command in ("false", "echo nothing"):
            code, page, told = self.run_it({"b": (command, reliability.layers)})
            self.assertEqual((code, page), (1, PAGE), told)
        with tempfile.TemporaryDirectory() as folder:
            skipped = Path(folder) / "skipped"
            skipped.write_text("#!/bin/sh\necho 'x: skipped, no tool'\nexit 77\n")
            skipped.chmod(0o755)
            code, page, told = self.run_it({"b": (str(skipped), reliability.layers)})
            self.assertEqual((code, page), (77, PAGE))
            self.assertIn("no tool; its row stays", told)

    def test_what_names_no_commit_or_no_row_is_refused(self):
        self.assertEqual(self.run_it(self.TWO, changed=" M kernels/src/lib.rs")[:2], (2, PAGE))
        code, page, told = self.run_it(self.TWO, "--only", "c")
        self.assertEqual((code, page), (2, PAGE))
        self.assertIn("no row 'c'; there are a, b", told)

    def test_the_page_of_the_repository_has_the_table(self):
        rows = [trial.row for trial in reliability.trials()]
        page = (SCRIPTS.parent / "RELIABILITY.md").read_text()
        first = reliability.rewritten(page, rows[0], f"| {rows[0]} | x |", rows)
        self.assertIn(f"| {rows[0]} | x |", first)
        listed = {reliability.cells(line)[0] for line in page.splitlines() if line.startswith("| ")}
        self.assertIn("unsafe code", listed)
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
            reliability.rewritten(page.replace(reliability.END, ""), rows[0], "", rows)

    def test_figures_are_read_from_what_the_trials_print(self):
        self.assertEqual(reliability.tests("test result: ok. 12 passed; 0 failed\n\ntest result: ok. 1009 passed;\n"), "1,021 tests pass")
        printed = ("scalar: 20 random layers, 1500 outputs, seed 1: the reference's bits\n"
                   "test x ... avx2: 30 random layers, 500 outputs, seed 1\nplanned: 1 random layers, 7 outputs, seed")
        self.assertEqual(reliability.layers(printed), "51 random layers, 2,007 outputs, 2 kernels and the planner")
        self.assertEqual(reliability.guards("5 cases twice, 12 buffers of 3400000 bytes together"), "5 cases twice, 12 buffers, 3 MB")
        fuzz = next(trial for trial in reliability.trials() if trial.row == "fuzz layer_text")
        self.assertEqual(fuzz.result("stat::number_of_executed_units: 1234\n"), "1,234 executions in 600 s")
        unsafe = "a.rs:3\nkernels/src in all: 3\nharness/src in all: 5\nkernels/tests in all: 9\n"
        self.assertEqual(reliability.unsafe(unsafe), "3 places in the library, 5 in the harness's foreign calls")


class GateTrials(unittest.TestCase):
    def program(self, path: Path, text: str) -> Path:
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def test_the_gate_is_told_the_threads(self):
        with tempfile.TemporaryDirectory() as folder:
            told = self.program(Path(folder) / "told", """printf '{"told": "%s"}\\n' "$*" """)
            options = argparse.Namespace(budget=1, layer=[], layout=None, threads=2)
            _, _, summary = gate_trials.gate(told, told, told, 7, options)
            self.assertIn(" --threads 2", summary["told"])

    def test_the_program_is_built_apart(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            cargo = self.program(folder / "cargo", 'mkdir -p "$CARGO_TARGET_DIR/release"; echo "$@" >"$CARGO_TARGET_DIR/release/pointwise"')
            usual = folder / "usual" / "release" / "pointwise"
            usual.parent.mkdir(parents=True)
            usual.write_text("as it was")
            with mock.patch.object(gate_trials, "FOLDER", folder / "trials"), \
                    mock.patch.dict("os.environ", CARGO=str(cargo), CARGO_TARGET_DIR=str(folder / "usual")):
                built = gate_trials.build()
            self.assertIn("planted-faults", built.read_text())
            self.assertEqual(usual.read_text(), "as it was")


if __name__ == "__main__":
    unittest.main()
