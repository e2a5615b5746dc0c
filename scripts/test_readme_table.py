"""Tests of scripts/readme-table: `python3 -m unittest discover -s scripts -p 'test_*.py'`."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
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


readme_table = script("readme-table")

ENVIRONMENT = {"cpu": {"brand": "Some CPU", "microarchitecture": "Zen 9", "family": 1, "model": 2},
               "trust": {"grade": "B"}, "build": {"commit": "abcdef0123456789", "dirty": False}}


def record(contender: str, ns: float, **other) -> dict:
    """A record of 1000 floating-point operations under a ceiling of 100 GFLOP/s."""
    fields = {"network": "net", "layer": "a", "n": 1, "c": 8, "k": 16, "h": 7, "w": 7, "stride_h": 1, "stride_w": 1,
              "groups": 1, "dtype": "f32", "layout": "nhwc", "contender": contender, "version": "1.0", "kernel": "",
              "threads": 1, "cache": "hot", "ns_median": ns, "gflops": 1000 / ns, "fraction_of_ceiling": 10 / ns}
    return {**fields, **other}


class Folder(unittest.TestCase):
    """A folder of records."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def write(self, name: str, *records: dict, commit: str = "abcdef0123456789", dirty: bool = False):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        build = {"build": {"commit": commit, "dirty": dirty}}
        path.with_name(path.name + ".env.json").write_text(json.dumps({**ENVIRONMENT, **build}))


class Summary(Folder):
    def summary(self) -> str:
        return readme_table.summary(self.folder)

    def test_means_are_geometric_and_the_fastest_contender_is_first(self):
        self.write("threads-1.jsonl", record("pointwise", 20), record("other", 10),
                   record("pointwise", 80, layer="b", c=9), record("other", 40, layer="b", c=9))
        text = self.summary()
        self.assertIn("| other 1.0 | 50 (50.0%) |\n| **pointwise** | 25 (25.0%) |", text)
        self.assertIn("over the 2 different 1×1 layers of net without", " ".join(text.split()))
        self.assertIn("Some CPU (Zen 9, family 1, model 2), commit abcdef0,", " ".join(text.split()))

    def test_a_layer_of_two_networks_counts_once_and_two_of_one_size_count_twice(self):
        shared = [record(name, ns, network=network) for network in ("net", "web") for name, ns in (("pointwise", 20), ("other", 10))]
        again = [record("pointwise", 20.5, layer="b"), record("other", 30, layer="b")]
        self.write("threads-1.jsonl", *shared, *again)
        self.assertIn("- NHWC, 1 thread: other on 1 of 2, at most 2.00× (8→16 at 7×7).", self.summary())

    def test_every_peer_and_setting_has_its_loss(self):
        self.write("threads-1.jsonl", record("pointwise", 20), record("other", 10), record("any", 19.9),
                   record("pointwise", 20, layout="nchw"), record("other", 40, layout="nchw"))
        self.write("threads-2.jsonl", record("pointwise", 20, threads=2), record("any", 25, threads=2))
        text = self.summary()
        self.assertIn("| | NHWC, 1 thread | NCHW, 1 thread | NHWC, 2 threads |", text)
        self.assertIn("| any 1.0 | 50.3 (50.3%) | – | 40 (40.0%) |", text)
        self.assertIn("- NHWC, 1 thread: other on 1 of 1, at most 2.00× (8→16 at 7×7); any on 1 of 1, at most 1.01× (8→16 at 7×7).", text)
        self.assertIn("- No layer is lost in the rest. NCHW, 1 thread: the nearest is other at 0.50× (8→16 at 7×7). NHWC, 2 threads: the nearest "
                      "is any at 0.80× (8→16 at 7×7).", text)

    def test_heads_are_lost_too_but_stay_out_of_means(self):
        self.write("threads-1.jsonl", record("pointwise", 20), record("other", 40),
                   record("pointwise", 20, layer="fc", h=1, w=1), record("other", 1, layer="fc", h=1, w=1))
        text = self.summary()
        self.assertIn("| **pointwise** | 50 (50.0%) |\n| other 1.0 | 25 (25.0%) |", text)
        self.assertIn("other on 1 of 2, at most 20.00× (8→16 at 1×1)", text)

    def test_every_other_file_has_its_line_with_its_own_commit(self):
        self.write("threads-1.jsonl", record("pointwise", 20), record("other", 40))
        self.write("avx2/threads-1.jsonl", record("pointwise", 20), record("other", 10, stride_h=2), commit="1111111222", dirty=True)
        self.write("passes-2.jsonl", record("pointwise", 20, layer="pass", cache="network", threads=2),
                   record("other", 15, layer="pass", cache="network", threads=2), record("pointwise", 20, cache="network", threads=2),
                   record("other", 1, cache="network", threads=2))
        self.write("something-new.jsonl", record("pointwise", 20, n=4, groups=2, stride_w=2), record("other", 10, n=4, groups=2, stride_w=2))
        text = " ".join(self.summary().split())
        self.assertIn("capped at AVX2 (1 thread, commit 1111111 with changes):", text)
        self.assertIn("- Passes through whole networks (2 threads): other on 1 of 1, at most 1.33× (net).", text)
        self.assertIn("- something-new (1 thread): other on 1 of 1, at most 2.00× (8→16 at 7×7, stride 1×2, batch 4, 2 groups).", text)

    def test_a_peer_that_ran_fewer_layers_says_so_and_kernels_of_ours_are_left_out(self):
        self.write("threads-1.jsonl", record("pointwise", 20), record("other", 40), record("pointwise", 20, layer="b", c=9),
                   record("f32-x", 1, kernel="f32-x"))
        text = self.summary()
        self.assertIn("| other 1.0 | 25 (25.0%) on 1 |", text)
        self.assertNotIn("f32-x", text)

    def test_a_product_alone_is_shown_and_wins_nothing(self):
        self.write("threads-1.jsonl", record("pointwise", 20), record("other-product", 10), record("other", 40))
        text = self.summary()
        self.assertIn("| other-product 1.0 | 100 (100.0%) |", text)
        self.assertIn("A `-product` leaves bias, residual and activation out of its time", text)
        self.assertIn("- No layer is lost in the rest. NHWC, 1 thread: the nearest is other at 0.50×", text)

    def test_of_two_records_of_one_layer_the_later_counts(self):
        self.write("threads-1.jsonl", record("pointwise", 20), record("other", 10), record("other", 40))
        self.assertIn("- No layer is lost in the rest. NHWC, 1 thread: the nearest is other at 0.50×", self.summary())

    def test_what_cannot_be_read_is_named(self):
        for content, wrong in (("{}\n", "threads-1.jsonl:1: not a record"), ("no\n", "threads-1.jsonl:1: not a record"), ("3\n", "1: not a record")):
            self.write("threads-1.jsonl", record("pointwise", 20))
            (self.folder / "threads-1.jsonl").write_text(content)
            with self.assertRaisesRegex(readme_table.Unusable, wrong):
                self.summary()
        (self.folder / "threads-1.jsonl").unlink()
        with self.assertRaisesRegex(readme_table.Unusable, "no records"):
            self.summary()


class Page(Folder):
    def run_it(self, page: str, *arguments: str) -> tuple[int, str, str]:
        """Exit code, page and messages."""
        path, told = self.folder / "PAGE.md", io.StringIO()
        path.write_text(page)
        with mock.patch.object(readme_table, "PAGE", path), contextlib.redirect_stderr(told):
            code = readme_table.main(list(arguments))
        return code, path.read_text(), told.getvalue()

    def test_the_summary_stands_between_its_markers_and_is_checked(self):
        self.write("threads-1.jsonl", record("pointwise", 20), record("other", 40))
        empty = "before\n<!-- Written by scripts/readme-table nowhere -->\n" + readme_table.END + "\nafter\n"
        code, page, _ = self.run_it(empty, str(self.folder))
        self.assertEqual(code, 0)
        self.assertTrue(page.startswith(f"before\n<!-- Written by scripts/readme-table {self.folder} -->\n"))
        self.assertTrue(page.endswith(readme_table.END + "\nafter\n"))
        self.assertEqual(self.run_it(page, "--check"), (0, page, ""))
        self.assertEqual(self.run_it(page)[:2], (0, page))

        changed = page.replace("50 (50.0%)", "51 (50.0%)")
        code, left, told = self.run_it(changed, "--check")
        self.assertEqual((code, left), (1, changed))
        self.assertIn("-| **pointwise** | 51 (50.0%) |\n+| **pointwise** | 50 (50.0%) |", told)

        self.write("threads-1.jsonl", record("pointwise", 20), record("other", 10))
        self.assertEqual(self.run_it(page, "--check")[0], 1)

    def test_a_page_without_a_place_for_it_and_a_folder_without_records_are_refused(self):
        self.assertEqual(self.run_it("before\n", "--check")[0], 2)
        page = f"<!-- Written by scripts/readme-table {self.folder} -->\n{readme_table.END}\n"
        code, left, told = self.run_it(page)
        self.assertEqual((code, left), (2, page))
        self.assertIn("no records", told)


if __name__ == "__main__":
    unittest.main()
