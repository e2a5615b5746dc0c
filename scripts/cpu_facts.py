"""Published execution resources of the CPUs that predict-kernels estimates for.

llvm-mca is as right as LLVM's description of a CPU, and some descriptions are another CPU's or
leave out half of the vector units. What the vendors publish gives a lower bound on the cycles of a
loop; where LLVM's figure is known to be off, the bound is the better estimate, and says so.

The numbers are from memory, the sources being where to check them: that has not been done yet.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """Per cycle and core, for the vector width of an ISA."""

    fma: dict[str, int]  # vector FMAs, by ISA
    loads: dict[str, int]  # vector loads, by ISA
    source: str
    model_error: str = ""  # what is wrong with LLVM 22's description; empty if it may be believed


_INTEL = "Intel 64 and IA-32 Architectures Optimization Reference Manual"
_AMD = "AMD Software Optimization Guide for the family"
_ARM = "Arm Software Optimization Guide of the core"

FACTS = {
    "haswell": Facts({"avx2": 2}, {"avx2": 2}, _INTEL),
    "skylake-avx512": Facts({"avx2": 2, "avx512": 2}, {"avx2": 2, "avx512": 2}, _INTEL),
    "icelake-server": Facts({"avx2": 2, "avx512": 2}, {"avx2": 2, "avx512": 2}, _INTEL,
                            "one 512-bit FMA per cycle, where the server parts have two units"),
    "sapphirerapids": Facts({"avx2": 2, "avx512": 2}, {"avx2": 3, "avx512": 2}, _INTEL,
                            "one 512-bit FMA per cycle, where the server parts have two units"),
    "znver2": Facts({"avx2": 2}, {"avx2": 2}, _AMD),
    "znver3": Facts({"avx2": 2}, {"avx2": 3}, _AMD),
    # One whole 512-bit load per cycle, but two broadcasts: two is the bound that always holds.
    "znver4": Facts({"avx2": 2, "avx512": 1}, {"avx2": 2, "avx512": 2}, _AMD,
                    "512-bit loads and broadcasts compete with 512-bit FMAs"),
    "znver5": Facts({"avx2": 2, "avx512": 2}, {"avx2": 2, "avx512": 2}, _AMD,
                    "Zen 4's description (LLVM pull request 172370), with half of the 512-bit units"),
    "cortex-a55": Facts({"neon": 1}, {"neon": 1}, _ARM),
    "cortex-a76": Facts({"neon": 2}, {"neon": 2}, _ARM,
                        "the description of Cortex-A57, with one FMA per cycle"),
    "neoverse-n1": Facts({"neon": 2}, {"neon": 2}, _ARM),
    "neoverse-n2": Facts({"neon": 2}, {"neon": 3}, _ARM),
    "neoverse-v1": Facts({"neon": 4}, {"neon": 3}, _ARM),
    "neoverse-v2": Facts({"neon": 4}, {"neon": 3}, _ARM),
    "apple-m1": Facts({"neon": 4}, {"neon": 3}, "measured by others; Apple publishes none",
                      "the description of an older core, with three vector units"),
}


def bound(cpu: str, isa: str, fma: float, loads: float) -> float:
    """Cycles that so many FMAs and vector loads take at least."""
    facts = FACTS[cpu]
    return max(fma / facts.fma[isa], loads / facts.loads[isa])
