"""Tests of the checks themselves: `python3 -m unittest discover -s scripts -p 'test_*.py'`."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))

import cpu_facts  # noqa: E402
import machine_code as mc  # noqa: E402


def script(name: str):
    """A script without a suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


inspect_kernels = script("inspect-kernels")
instruction_counts = script("instruction-counts")
predict_kernels = script("predict-kernels")

AVX2 = """
0000000000000000 <<pulp::x86::v3::V3>::vectorize::imp::<pointwise::micro::tile::Call<pulp::x86::v3::V3, 2, 1, {form}>>>:
   0:\tpush   %rbp
  10:\tvmovups (%rsi),%ymm2
  14:\tvbroadcastss (%rdi),%ymm3
  18:\tvfmadd231ps %ymm2,%ymm3,%ymm0
{spill}  20:\tvbroadcastss 0x4(%rdi),%ymm3
  24:\tvfmadd231ps %ymm2,%ymm3,%ymm1
  28:\tdec    %rcx
  2b:\tjne    10 <somewhere+0x10>
  2d:\tret
"""
NEON = """
0000000000000000 <pointwise::micro::tile::<pulp::aarch64::Neon, 2, 1, 1>>:
   0:\tldr\tq2, [x1], #16
   4:\tldp\ts3, s4, [x0], #8
   8:\tfmla\tv0.4s, v2.4s, v3.s[0]
   c:\tfmla\tv1.4s, v2.4s, v4.s[0]
{spill}  14:\tsubs\tx9, x9, #0x1
  18:\tb.ne\t0 <somewhere>  // b.any
  1c:\tret
"""


def judge(listing: str, arch: str):
    kernels = mc.kernels_of(mc.read_listing(listing, arch))
    assert len(kernels) == 1, kernels
    rows, wrong = inspect_kernels.judge(kernels[0])
    return kernels[0].label(), rows, wrong


class InnerLoops(unittest.TestCase):
    def test_a_clean_loop_passes(self):
        label, rows, wrong = judge(AVX2.format(form=0, spill=""), "x86_64")
        self.assertEqual((label, wrong), ("avx2 2x8 rows", []))
        self.assertEqual((rows[0]["fma_per_step"], rows[0]["loads_per_step"]), (2, 3))
        label, rows, wrong = judge(NEON.format(spill=""), "aarch64")
        self.assertEqual((label, wrong), ("neon 2x4 line", []))
        self.assertEqual(rows[0]["loads_per_step"], 3)

    def test_rows_that_share_a_vector_need_fewer_fmas(self):
        shared = "\n".join(
            line.replace("2, 1, {form}", "2, 1, 1, {form}") for line in AVX2.splitlines()
            if "20:" not in line and "24:" not in line) + "\n"
        label, _, wrong = judge(shared.format(form="true", spill=""), "x86_64")
        self.assertEqual((label, wrong), ("avx2 2x4 line", []))
        label, _, wrong = judge(shared.format(form="false", spill=""), "x86_64")
        self.assertEqual(label, "avx2 2x8 line")
        self.assertEqual(wrong, ["loops of [1] vector FMAs a step, none of [2]"])

    def test_a_spill_is_found(self):
        for line in ("  1c:\tvmovups %ymm0,-0x20(%rsp)\n", "  1c:\tvmovaps 0x40(%rsp),%ymm0\n",
                     "  1c:\tvaddps 0x40(%rsp),%ymm5,%ymm5\n"):
            _, _, wrong = judge(AVX2.format(form=0, spill=line), "x86_64")
            self.assertEqual(len(wrong), 1, line)
            self.assertIn("spilled", wrong[0])
        for line in ("  10:\tstr\tq0, [sp, #16]\n", "  10:\tldp\tq5, q6, [sp, #32]\n"):
            _, _, wrong = judge(NEON.format(spill=line), "aarch64")
            self.assertEqual(len(wrong), 1, line)
            self.assertIn("spilled", wrong[0])

    def test_the_frame_pointer_is_the_stack_only_where_it_is_set(self):
        store = "  1c:\tvmovups %ymm0,0x20(%rbp)\n"
        _, _, wrong = judge(AVX2.format(form=0, spill=store), "x86_64")
        self.assertIn("vector stores", wrong[0])
        framed = AVX2.format(form=0, spill=store).replace("push   %rbp", "mov    %rsp,%rbp")
        self.assertIn("spilled", judge(framed, "x86_64")[2][0])

    def test_accumulators_in_memory_are_found_without_the_stack(self):
        _, _, wrong = judge(AVX2.format(form=0, spill="  1c:\tvmovups %ymm0,(%rax)\n"), "x86_64")
        self.assertEqual(wrong, ["1 vector stores in the loop"])

    def test_a_missing_fma_is_found(self):
        listing = AVX2.format(form=0, spill="").replace("  24:\tvfmadd231ps %ymm2,%ymm3,%ymm1\n", "")
        self.assertEqual(judge(listing, "x86_64")[2], ["loops of [1] vector FMAs a step, none of [2]"])

    def test_halves_of_the_rows_need_each_other_and_the_whole(self):
        whole = AVX2.format(form=0, spill="")
        start = whole.index("  10:")
        half = [line for line in whole[start:].splitlines() if "%ymm1" not in line and "ret" not in line]

        def moved(by: int, register: str) -> str:
            lines = [f"{int(line.split(':')[0], 16) + by:4x}:{line.split(':')[1]}" for line in half]
            text = "\n".join(lines) + "\n"
            return text.replace("jne    10", f"jne    {0x10 + by:x}").replace("%ymm0", register)
        halves = whole.replace("  2d:\tret\n", moved(0x100, "%ymm0") + moved(0x200, "%ymm1"))
        self.assertEqual(judge(halves, "x86_64")[2], [])
        alone = whole[:start] + moved(0x100, "%ymm0") + moved(0x200, "%ymm1")
        self.assertEqual(judge(alone, "x86_64")[2], ["loops of [1] vector FMAs a step, none of [2]"])

    def test_a_narrow_fma_does_not_count(self):
        listing = AVX2.format(form=0, spill="").replace("%ymm", "%xmm")
        self.assertEqual(judge(listing, "x86_64")[1], [])


class Baselines(unittest.TestCase):
    def test_what_got_worse_is_named(self):
        before = {"a": 1000, "b": 1000, "gone": 5}
        after = {"a": 1011, "b": 1009, "new": 7}
        findings = instruction_counts.compare(before, after, 0.01)
        self.assertEqual([f.split(":")[0] for f in findings], ["a", "gone"])
        row = {"kernel": "avx512 14x32 line", "steps": 1, "cycles_per_step": {"znver4": 28.0, "haswell": 28.0}}
        worse = dict(row, cycles_per_step={"znver4": 30.0, "haswell": 28.1})
        self.assertEqual(predict_kernels.regressions([row], [row], 0.02), [])
        self.assertIn("avx512 14x32 line on znver4", predict_kernels.regressions([row], [worse], 0.02)[0])
        self.assertEqual(len(predict_kernels.regressions([row], [], 0.02)), 2)

    def test_bad_files_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "baseline.json"
            for text in ("", "{", "[]", "{}", '{"schema": 99, "counts": {"a": 1}}',
                         '{"schema": 1, "counts": {}}', '{"schema": 1, "counts": {"a": "many"}}'):
                path.write_text(text)
                for read in (instruction_counts.read_baseline, predict_kernels.read_stored):
                    told = io.StringIO()
                    with self.assertRaises(SystemExit) as refused, contextlib.redirect_stderr(told):
                        read(path)
                    self.assertEqual(refused.exception.code, 2, text)
                    self.assertRegex(told.getvalue(), r"baseline\.json:1: \S", text)

    def test_where_a_file_is_damaged_is_told(self):
        whole = json.dumps({"schema": 1, "counts": {"a": 1, "b": 2}}, indent=1)
        damaged = {"cut short": (whole[:-9], r":[3456]: cut short"),
                   "not JSON": (whole.replace('"a": 1,', '"a": 1;'), ":4: not JSON"),
                   "of a later version": (whole.replace('1,', '7,', 1), ":1: no baseline: schema 7"),
                   "without counts": (whole.replace("counts", "times"), ":1: no baseline: field 'counts'")}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "baseline.json"
            for what, (text, expected) in damaged.items():
                path.write_text(text)
                told = io.StringIO()
                with self.assertRaises(SystemExit), contextlib.redirect_stderr(told):
                    instruction_counts.read_baseline(path)
                self.assertRegex(told.getvalue(), expected, what)

    def test_another_toolchain_is_told_and_not_compared(self):
        here = {"rustc": "rustc 2", "arch": "x86_64"}
        self.assertEqual(instruction_counts.other_toolchain(dict(here, schema=1), here), [])
        self.assertEqual(instruction_counts.other_toolchain({"rustc": "rustc 1", "arch": "x86_64"}, here),
                         ["rustc was rustc 1, here it is rustc 2"])
        stored = {"llvm_mca": "22", "rustc": {"x86_64": "rustc 1", "aarch64": "rustc 3"}}
        now = {"llvm_mca": "22", "rustc": {"x86_64": "rustc 1", "aarch64": "rustc 4"}}
        arches, reasons = predict_kernels.comparable(stored, now)
        self.assertEqual((arches, len(reasons)), ({"x86_64"}, 1))
        self.assertIn("aarch64 was rustc 3, here it is rustc 4", reasons[0])
        self.assertEqual(predict_kernels.comparable(stored, dict(now, llvm_mca="19"))[0], set())


class Facts(unittest.TestCase):
    def test_the_bound_is_the_busier_unit(self):
        def bound(*counts):
            limits = cpu_facts.bounds("skylake-avx512", "avx512", *counts)
            name = max(limits, key=limits.get)
            return limits[name], name
        self.assertEqual(bound(28, 16, 33, 1), (14, "ports"))
        self.assertEqual(bound(28, 29, 33, 1), (14.5, "loads"))
        self.assertEqual(bound(4, 3, 9, 1), (4, "latency"))
        self.assertEqual(bound(28, 16, 60, 1), (15, "issue"))

    def test_the_estimate_is_the_bound_where_the_description_is_too_slow(self):
        limits = {"ports": 14.0, "loads": 8.0}
        self.assertEqual(cpu_facts.estimate("icelake-server", "avx512", 28.0, limits), (14.0, "ports"))
        self.assertEqual(cpu_facts.estimate("icelake-server", "avx2", 28.0, limits), (28.0, "scheduling"))
        # a description with too many units is corrected too
        self.assertEqual(cpu_facts.estimate("cortex-a55", "neon", 7.0, limits), (14.0, "ports"))

    def test_every_cpu_has_its_data_file(self):
        files = {path.stem for path in (SCRIPTS.parent / "kernels" / "data" / "cpus").glob("*.txt")}
        self.assertEqual({facts.cpu for facts in cpu_facts.FACTS.values()}, files)


if __name__ == "__main__":
    unittest.main()
