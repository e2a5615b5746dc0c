"""Tests of .ci/run: `python3 -m unittest discover -s scripts -p 'test_*.py'`."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
# What .ci/run itself needs; the tools of the steps are not among them.
BASICS = "bash cut df dirname du env grep mktemp rm sed tail tee tr uname".split()


class Outcomes(unittest.TestCase):
    def ci(self, *steps: str, **stubs: str) -> tuple[int, list[str]]:
        """Exit code and lines of a run where only the basics and these stubs are installed."""
        with tempfile.TemporaryDirectory() as folder:
            for name in BASICS:
                (Path(folder) / name).symlink_to(shutil.which(name))
            for name, text in stubs.items():
                (Path(folder) / name).write_text(f"#!{shutil.which('bash')}\n{text}\n")
                (Path(folder) / name).chmod(0o755)
            environment = {"PATH": folder, "HOME": folder, "CARGO_HOME": folder}
            done = subprocess.run([ROOT / ".ci" / "run", *steps], env=environment, capture_output=True, text=True)
            return done.returncode, (done.stdout + done.stderr).strip().splitlines()

    def test_a_missing_tool_is_a_skip_with_its_reason(self):
        code, lines = self.ci("deny", "memcheck")
        self.assertEqual((code, lines[-1]), (0, "0 passed, 0 failed, 2 skipped"), lines)
        summary = [line for line in lines if line.startswith("memcheck  ")]
        self.assertRegex(summary[0], r"^memcheck +\d+s  skipped \(valgrind is not installed; try 'scripts/install-tools memcheck'\)$")

    def test_passed_failed_and_skipped_are_counted_apart(self):
        version = f'echo "rustc {self.promised()}.0 (x)"'
        code, lines = self.ci("msrv", "deny", "check", rustc=version, cargo='[ "$1" = check ]')
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed, 1 skipped"), lines)
        self.assertIn("failed: check", lines)
        self.assertEqual(self.ci("msrv", rustc=version, cargo="exit 77")[1][-1], "0 passed, 0 failed, 1 skipped")

    def test_another_compiler_than_the_promised_one_is_no_proof(self):
        code, lines = self.ci("msrv", rustc="echo 'rustc 9.99.0 (x)'", cargo="exit 0")
        self.assertEqual((code, lines[-1]), (0, "0 passed, 0 failed, 1 skipped"), lines)

    def test_an_unknown_step_is_refused(self):
        code, lines = self.ci("deny", "frobnicate")
        self.assertEqual((code, len(lines)), (2, 1))
        self.assertIn("no step 'frobnicate'; there are install", lines[-1])

    def promised(self) -> str:
        lines = (ROOT / "Cargo.toml").read_text().splitlines()
        return next(line.split('"')[1] for line in lines if line.startswith("rust-version = "))


if __name__ == "__main__":
    unittest.main()
