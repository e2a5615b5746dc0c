"""Published execution resources of the CPUs that predict-kernels estimates for.

llvm-mca is as right as LLVM's description of a CPU, and some descriptions are another CPU's or
leave out half of the vector units. Where a description makes loops too slow, the bound that the
published units set is the estimate; elsewhere it is whichever is slower, so that a description
with too many units is corrected too. What LLVM 22.1.8's descriptions say was found by timing
single instructions with llvm-mca (`predict-kernels --descriptions`). Where the figures below are
from is said in the CPU's data file, kernels/data/cpus/NAME.txt, which has the same ones.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Facts:
    """Per cycle and core, for the vector width of an ISA."""

    cpu: str  # the library's name of it, of kernels/data/cpus
    fma: dict[str, float]  # vector FMAs, by ISA
    loads: dict[str, float]  # vector loads, by ISA; a broadcast of one value counts as one
    latency: float  # from an accumulator to itself through an FMA
    issue: float  # micro-operations started, an FMA with a memory operand being one
    mcpu: str = ""  # LLVM's description to estimate with, if not that of the name
    model_error: str = ""  # what is wrong with LLVM 22's description
    too_slow: list[str] = field(default_factory=list)  # ISAs whose loops it makes slower than they are


FACTS = {
    "haswell": Facts("haswell", {"avx2": 2}, {"avx2": 2}, 5, 4),
    "skylake-avx512": Facts("skylake-x", {"avx2": 2, "avx512": 2}, {"avx2": 2, "avx512": 2}, 4, 4,
                            model_error="starts six micro-operations per cycle instead of four"),
    "icelake-server": Facts("icelake", {"avx2": 2, "avx512": 2}, {"avx2": 2, "avx512": 2}, 4, 5,
                            model_error="one 512-bit FMA per cycle, where the server parts have two units; "
                            "starts six micro-operations per cycle instead of five",
                            too_slow=["avx512"]),
    "sapphirerapids": Facts("sapphirerapids", {"avx2": 2, "avx512": 2}, {"avx2": 3, "avx512": 2}, 4, 6,
                            model_error="one 512-bit FMA per cycle, where the server parts have two units; "
                            "three 512-bit loads instead of two",
                            too_slow=["avx512"]),
    "znver2": Facts("zen2", {"avx2": 2}, {"avx2": 2}, 5, 6,
                    model_error="three 256-bit loads per cycle instead of two; starts four "
                    "micro-operations instead of six",
                    too_slow=["avx2"]),
    "znver3": Facts("zen3", {"avx2": 2}, {"avx2": 2}, 4, 6),
    "znver4": Facts("zen4", {"avx2": 2, "avx512": 1}, {"avx2": 2, "avx512": 1}, 4, 6,
                    model_error="two 512-bit loads per cycle instead of one; they and broadcasts compete "
                    "with 512-bit FMAs, which they do not on the CPU",
                    too_slow=["avx512"]),
    "znver5": Facts("zen5", {"avx2": 2, "avx512": 2}, {"avx2": 2, "avx512": 2}, 4, 8,
                    model_error="Zen 4's description (LLVM pull request 172370): half of the 512-bit units, "
                    "six micro-operations per cycle instead of eight",
                    too_slow=["avx2", "avx512"]),
    "znver5-mobile": Facts("zen5-mobile", {"avx2": 2, "avx512": 1}, {"avx2": 2, "avx512": 1}, 4, 8,
                           mcpu="znver5", model_error="Zen 4's description (LLVM pull request 172370)",
                           too_slow=["avx2", "avx512"]),
    "cortex-a55": Facts("cortex-a55", {"neon": 1}, {"neon": 0.5}, 4, 2,
                        model_error="two 128-bit FMAs and a 128-bit load per cycle, where both pass 64-bit "
                        "halves"),
    "cortex-a76": Facts("cortex-a76", {"neon": 2}, {"neon": 2}, 2, 4, mcpu="neoverse-n1",
                        model_error="LLVM takes Cortex-A57 for it (one FMA per cycle); estimated as the "
                        "Neoverse N1, which is made after it; see there",
                        too_slow=["neon"]),
    "neoverse-n1": Facts("neoverse-n1", {"neon": 2}, {"neon": 2}, 2, 4,
                         model_error="one 128-bit load per cycle instead of two; starts three "
                         "micro-operations instead of four; no late forwarding of accumulators",
                         too_slow=["neon"]),
    "neoverse-n2": Facts("neoverse-n2", {"neon": 2}, {"neon": 3}, 2, 5,
                         model_error="no late forwarding of accumulators: an FMA's chain in four cycles"),
    "neoverse-v1": Facts("neoverse-v1", {"neon": 4}, {"neon": 3}, 2, 8),
    "neoverse-v2": Facts("neoverse-v2", {"neon": 4}, {"neon": 3}, 2, 8,
                         model_error="starts six micro-operations per cycle instead of eight",
                         too_slow=["neon"]),
    "apple-m1": Facts("apple-m1", {"neon": 4}, {"neon": 3}, 4, 8,
                      model_error="the description of an older core: three vector units, two loads, six "
                      "micro-operations per cycle, and an FMA's chain in two cycles",
                      too_slow=["neon"]),
}


def bounds(cpu: str, isa: str, fma: float, loads: float, operations: float, chain: float) -> dict[str, float]:
    """Cycles that so many FMAs, vector loads and micro-operations take at least, by what sets them;
    `chain` FMAs depend on each other."""
    facts = FACTS[cpu]
    return {
        "ports": fma / facts.fma[isa],
        "loads": loads / facts.loads[isa],
        "latency": facts.latency * chain,
        "issue": operations / facts.issue,
    }


def estimate(cpu: str, isa: str, model: float, limits: dict[str, float]) -> tuple[float, str]:
    """The predicted cycles, of llvm-mca's and the published bounds, and what sets them."""
    name = max(limits, key=limits.get)
    if isa in FACTS[cpu].too_slow or model <= limits[name] * 1.02:
        return limits[name], name
    return model, "scheduling"
