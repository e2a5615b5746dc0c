"""Finds the inner loops of the micro-kernels in a build of the `pointwise` crate.

A micro-kernel is a function generic over an ISA token and its tile: M broadcasts against V
vectors, so M·V accumulators. Its inner loop runs over the input channels and does M·V vector
FMAs a step; the last steps may be done for half of the rows first, then for the others. What is read is objdump's listing of the release library, with Rust's v0 names, in
which the tile's sizes can be seen.

Python's standard library only. Used by inspect-kernels and predict-kernels.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The entry of a micro-kernel in a demangled name: `tile` in module `pointwise::micro`, or an item
# inside it, whose generic arguments hold the tile's M and V as their first numbers, then where the
# broadcast values come from, then whether two rows share the last vector.
KERNEL = re.compile(r"pointwise::micro::(?:\w+::)*?[Tt]ile\w*(?:::\w+)*(?:::)?<(?P<arguments>[^{}]*)")
FORM = ["rows", "line", "planes"]
# A registered kernel's name, as the registry spells it; its tile must be among those found.
REGISTERED = re.compile(r'"f32-(avx2|avx512|neon)-\w+-(\d+)x(\d+)"')
# What .ci/run takes for "could not run".
SKIPPED = 77
# The pulp token in the name says which vector registers the kernel is for.
TOKEN = re.compile(r"::(V3|V4|Neon)\b")
ISA_OF_TOKEN = {"V3": "avx2", "V4": "avx512", "Neon": "neon"}
LANES = {"avx2": 8, "avx512": 16, "neon": 4}


@dataclass
class Instruction:
    """One line of the listing."""

    address: int
    mnemonic: str
    operands: list[str]
    text: str
    target: int | None  # of a branch within the function

    def is_vector(self) -> bool:
        raise NotImplementedError


@dataclass
class Loop:
    """The instructions of one innermost loop, backward branch included."""

    body: list[Instruction]


def returns(body: list[Instruction]) -> bool:
    """Whether control that enters at the first instruction can reach the last without leaving: else a
    block was only laid out behind the code that it goes on to, and nothing is repeated."""
    reached, known = [0], {0}
    at = {i.address: index for index, i in enumerate(body)}
    while reached:
        index = reached.pop()
        if index == len(body) - 1:
            return True
        i = body[index]
        ahead = [at[i.target]] if i.target in at else []
        if not re.fullmatch(r"jmp|ret|retq|b|br", i.mnemonic):
            ahead.append(index + 1)
        for index in ahead:
            if index not in known:
                known.add(index)
                reached.append(index)
    return False


@dataclass
class Function:
    """One function of the library."""

    name: str
    arch: str
    instructions: list[Instruction] = field(default_factory=list)

    def innermost_loops(self) -> list[Loop]:
        """Ranges from the target of a backward branch to the branch that hold no other."""
        ends: dict[int, int] = {}
        for i in self.instructions:
            if i.target is not None and i.target <= i.address:
                ends[i.target] = max(ends.get(i.target, 0), i.address)
        loops = []
        for start, end in ends.items():
            inner = any(start < s and e <= end for s, e in ends.items() if s != start)
            if not inner:
                body = [i for i in self.instructions if start <= i.address <= end]
                if returns(body):
                    loops.append(Loop(body))
        return loops

    def keeps_frame_pointer(self) -> bool:
        """Whether rbp or x29 points into the stack here (else it is a register like others)."""
        for i in self.instructions[:24]:
            if self.arch == "x86_64" and re.fullmatch(r"(mov %rsp,%rbp|lea .*\(%rsp.*,%rbp)", i.text):
                return True
            if self.arch == "aarch64" and re.fullmatch(r"(mov x29, sp|add x29, sp.*)", i.text):
                return True
        return False


@dataclass
class Kernel:
    """The functions that one instantiation of the micro-kernel was compiled into."""

    isa: str
    m: int
    v: int
    form: str
    half: bool
    functions: list[Function]

    def fmas(self) -> int:
        """Vector FMAs of a step, each on an accumulator of its own."""
        return self.m * self.v - (self.m // 2 if self.half else 0)

    def halves(self) -> tuple[int, int]:
        """The same of the first half of the rows, and of the others."""
        return (self.m + 1) // 2 * self.v, self.m // 2 * self.v

    def tile(self) -> str:
        lanes = LANES[self.isa]
        return f"{self.isa} {self.m}x{self.v * lanes - (lanes // 2 if self.half else 0)}"

    def label(self) -> str:
        return f"{self.tile()} {self.form}".rstrip()


@dataclass
class Traffic:
    """What one loop does, counted."""

    fma: int = 0
    accumulators: int = 0
    loads: int = 0  # vector loads and broadcasts, those folded into an FMA included
    stores: int = 0  # of vector registers, to anywhere
    spills: list[str] = field(default_factory=list)  # vector traffic with the stack
    scalar_stack: int = 0  # general registers kept on the stack
    moves: int = 0  # vector register to vector register
    chain: int = 1  # FMAs of one pass on the accumulator that has most of them
    instructions: int = 0


def split_operands(text: str) -> list[str]:
    """`0x40(%rax,%rcx,4),%zmm1{%k1}` → its operands; commas inside brackets don't split."""
    parts, depth, part = [], 0, ""
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += char
    if part.strip():
        parts.append(part.strip())
    return parts


def traffic(function: Function, loop: Loop, isa: str) -> Traffic:
    """Counts what the loop does with vector registers and with the stack."""
    count = Traffic(instructions=len(loop.body))
    framed = function.keeps_frame_pointer()
    written: dict[str, int] = {}
    for i in loop.body:
        if function.arch == "x86_64":
            fma_of = re.fullmatch(r"vfn?m(add|sub)\d{3}ps", i.mnemonic)
            wide = i.operands[-1:] and i.operands[-1].startswith("%zmm" if isa == "avx512" else "%ymm")
            memory = [o for o in i.operands if "(" in o]
            vector = any(re.match(r"%[xyz]mm", o) for o in i.operands)
            on_stack = any("%rsp" in o or (framed and "(%rbp" in o) for o in memory)
            store = vector and bool(memory) and memory[0] is i.operands[-1]
            destination = i.operands[-1].split("{")[0] if i.operands else ""
            move = vector and not memory and i.mnemonic.startswith("vmov") and \
                all(re.match(r"%[xyz]mm", o) for o in i.operands)
        else:
            fma_of = i.mnemonic in ("fmla", "fmls")
            wide = i.operands[:1] and i.operands[0].endswith(".4s")
            memory = [o for o in i.operands if "[" in o and not re.match(r"v\d+\.", o)]
            vector = any(re.match(r"\{?\s*[vqds]\d+\b", o) for o in i.operands)
            on_stack = any(re.search(r"\[sp\b", o) or (framed and "[x29" in o) for o in memory)
            store = vector and bool(memory) and i.mnemonic.startswith("st")
            destination = i.operands[0].split(".")[0] if i.operands else ""
            move = vector and not memory and i.mnemonic == "mov" and i.operands[0].endswith(".16b")
        if fma_of and wide:
            count.fma += 1
            written[destination] = written.get(destination, 0) + 1
        if vector and memory and not store:
            # ldp brings two registers
            count.loads += 2 if i.mnemonic == "ldp" else 1
        count.stores += store
        count.moves += bool(move)
        if on_stack and vector:
            count.spills.append(f"{i.address:x}: {i.text}")
        elif on_stack:
            count.scalar_stack += 1
    count.accumulators = len(written)
    count.chain = max(written.values(), default=1)
    return count


def read_listing(text: str, arch: str) -> list[Function]:
    """Functions of an objdump listing made with --no-show-raw-insn and demangled names."""
    functions: list[Function] = []
    for line in text.splitlines():
        if head := re.fullmatch(r"[0-9a-f]+ <(.*)>:", line):
            functions.append(Function(head[1], arch))
        elif (row := re.match(r"\s*([0-9a-f]+):\t(.*)", line)) and functions:
            code = re.split(r"\s+//|\s+# ", row[2])[0]
            branch = re.match(r"(\S+)\s+(?:\S+,\s*)*([0-9a-f]+) <", row[2])
            code = re.sub(r"\s*<.*>$", "", code).strip()
            # prefixes such as `{evex}` or `data16` are no part of the mnemonic
            code = re.sub(r"^(\{\w+\}|data16|cs|rep|lock|notrack|bnd)\s+", "", code)
            mnemonic, _, rest = re.sub(r"\s+", " ", code).partition(" ")
            target = None
            if branch and re.match(r"(j|b\.|b$|cbn?z|tbn?z|loop)", mnemonic):
                target = int(branch[2], 16)
            functions[-1].instructions.append(
                Instruction(int(row[1], 16), mnemonic, split_operands(rest), f"{mnemonic} {rest}".strip(), target)
            )
    return functions


def kernels_of(functions: list[Function]) -> list[Kernel]:
    """Groups functions by the instantiation that their name tells.

    A wrapper that only calls the body in another function may come as a kernel without loops.
    """
    found: dict[tuple, Kernel] = {}
    for function in functions:
        match, token = KERNEL.search(function.name), TOKEN.search(function.name)
        if not match or not token:
            continue
        numbers = [int(n) for n in re.findall(r"(?<![\w:])\d+(?![\w:])", match["arguments"])]
        if len(numbers) < 3:
            continue
        isa = ISA_OF_TOKEN[token[1]]
        flags = re.findall(r"(?<![\w:])(?:true|false)(?![\w:])", match["arguments"])
        key = (isa, numbers[0], numbers[1], FORM[numbers[2]], flags[:1] == ["true"])
        found.setdefault(key, Kernel(*key, [])).functions.append(function)
    return [found[key] for key in sorted(found)]


def registered(isas: set[str]) -> set[str]:
    """The tiles of the kernels in the library's registry, for these ISAs."""
    source = (ROOT / "kernels" / "src" / "micro" / "registry.rs").read_text()
    return {f"{isa} {rows}x{columns}" for isa, rows, columns in REGISTERED.findall(source) if isa in isas}


def inner_loops(kernel: Kernel) -> list[tuple[Function, Loop, Traffic]]:
    """The kernel's innermost loops that do vector FMAs."""
    rows = []
    for function in kernel.functions:
        for loop in function.innermost_loops():
            count = traffic(function, loop, kernel.isa)
            if count.fma:
                rows.append((function, loop, count))
    return rows


def per_step(kernel: Kernel, count: Traffic) -> int:
    """Vector FMAs of a step of this loop: of all rows, or of half of them."""
    for fmas in (kernel.fmas(), *kernel.halves()):
        if fmas and count.fma % fmas == 0 and fmas <= count.accumulators <= count.fma:
            return fmas
    return kernel.fmas()


def need(script: str, arches: list[str], build: bool = True):
    """Ends the script with 77 and the reason where a tool for one of the architectures is missing."""
    for arch in arches:
        if not shutil.which(objdump := objdump_of(arch)):
            print(f"{script}: skipped, {objdump} is not installed (Debian: binutils, binutils-{arch}-linux-gnu)")
            raise SystemExit(SKIPPED)
        if build and arch != host_arch():
            found = subprocess.run([ROOT / "scripts" / "cargo-arm", "--which-rustc"], capture_output=True, text=True)
            if found.returncode:
                print(f"{script}: {found.stderr.strip().removeprefix('cargo-arm: ')}")
                raise SystemExit(SKIPPED)


def objdump_of(arch: str) -> str:
    return "objdump" if arch == host_arch() else f"{arch}-linux-gnu-objdump"


def host_arch() -> str:
    return {"arm64": "aarch64"}.get(os.uname().machine, os.uname().machine)


def build(arch: str, features: str = "") -> Path:
    """Builds the library as it is released, but with v0 names; returns the rlib."""
    native = arch == host_arch()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "inspect"
    cargo = [os.environ.get("CARGO", "cargo")] if native else [str(ROOT / "scripts" / "cargo-arm")]
    command = [*cargo, "rustc", "-p", "pointwise", "--lib", "--release", "--message-format=json"]
    command += ["--features", features] if features else []
    command += ["--", "-C", "symbol-mangling-version=v0"]
    env = dict(os.environ, CARGO_TARGET_DIR=str(target))
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"the build for {arch} failed")
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message["target"]["name"] == "pointwise":
            rlib = [name for name in message["filenames"] if name.endswith(".rlib")]
            if rlib:
                return Path(rlib[0])
    raise SystemExit(f"the build for {arch} made no rlib")


def disassemble(library: Path, arch: str) -> list[Function]:
    """The functions of an object file or library, by objdump."""
    objdump = objdump_of(arch)
    command = [objdump, "-d", "--no-show-raw-insn", "--demangle=rust", str(library)]
    done = subprocess.run(command, capture_output=True, text=True)
    # objdump complains about lib.rmeta in every rlib; no code at all is what fails
    functions = read_listing(done.stdout, arch)
    if not functions:
        raise SystemExit(f"{objdump} found no code in {library}: {done.stderr.strip()}")
    return functions
