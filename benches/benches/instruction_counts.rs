//! Instruction counts of one run of each scalar and AVX2 kernel, under valgrind's callgrind.
//!
//! Counts don't depend on what else the machine does, so they can be compared where times can't.
//! Kernels are named, never dispatched: valgrind knows no AVX-512, and a count is of one kernel
//! only if nothing was chosen. Which kernels there are is read from the registry, so the counted
//! program is this bench itself, started again with the case to run.
//!
//! Where valgrind or `gungraun-runner` is missing this says so in a line and passes.

use pointwise_benches::counted::{Ready, cases};
use std::process::{Command, ExitCode, Stdio};

mod counts {
    // What gungraun's macros generate is not documented.
    #![allow(missing_docs)]

    use gungraun::{
        Bench, BinaryBenchmark, BinaryBenchmarkConfig, BinaryBenchmarkGroup, Callgrind, Command,
        EntryPoint, binary_benchmark_group, main,
    };
    use pointwise_benches::counted::cases;

    /// Makes this program run one case, the one of the index that follows, and nothing else.
    pub(super) const ONE_CASE: &str = "--one-case";

    fn add_cases(group: &mut BinaryBenchmarkGroup) {
        let program = std::env::current_exe().expect("a running program has a path");
        let mut runs = BinaryBenchmark::new("run");
        for (index, case) in cases().iter().enumerate() {
            let command =
                Command::new(&program).args([ONE_CASE.to_owned(), index.to_string()]).build();
            runs.bench(Bench::new(case.id()).command(command));
        }
        group.binary_benchmark(runs);
    }

    binary_benchmark_group!(
        name = kernels,
        benchmarks = |group: &mut BinaryBenchmarkGroup| add_cases(group)
    );

    main!(
        config = BinaryBenchmarkConfig::default().tool(
            Callgrind::with_args(["--cache-sim=no"])
                .entry_point(EntryPoint::Custom("*::Ready::counted_run".to_owned()))
        );
        binary_benchmark_groups = kernels
    );

    /// Counts all cases; ends the process with an error if that fails.
    pub(super) fn count() {
        main();
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(counts::ONE_CASE) {
        let index = arguments.next().and_then(|index| index.parse::<usize>().ok());
        let Some(case) = index.and_then(|index| cases().into_iter().nth(index)) else {
            eprintln!("instruction_counts: {} takes the index of a case", counts::ONE_CASE);
            return ExitCode::from(2);
        };
        Ready::new(case).counted_run();
        return ExitCode::SUCCESS;
    }
    for tool in ["valgrind", "gungraun-runner"] {
        let found = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            println!("instruction_counts: skipped, {tool} is missing (scripts/install-tools)");
            return ExitCode::SUCCESS;
        }
    }
    counts::count();
    ExitCode::SUCCESS
}
