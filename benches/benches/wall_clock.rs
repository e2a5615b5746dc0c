//! Wall-clock times of the catalog's layers on one thread, by criterion: a group per network and
//! layout, in it each layer with the plan's choice, matrixmultiply and, on small layers, naive
//! loops. Criterion's throughput is floating-point operations, so `Gelem/s` reads GFLOP/s.
//!
//! This is for watching one's own changes: criterion times one contender after another, so the
//! machine's drift lies between them. Who is faster is for `pointwise bench`, which takes turns.
//!
//! `cargo bench --bench wall_clock -- resnet50/nchw` runs what contains that text.

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use pointwise::Layout;
use pointwise_benches::timed::{Problem, contenders, problems};
use pointwise_harness::contender::Refusal;
use pointwise_harness::data::{Data, Fill};
use std::time::Duration;

/// Networks whose layers are timed, a problem that several have in the first of them.
const NETWORKS: [&str; 3] = ["resnet50", "googlenet", "inception_v3"];

fn wall_clock(criterion: &mut Criterion) {
    let contenders = contenders();
    for network in NETWORKS {
        for layout in Layout::ALL {
            let mut group = criterion.benchmark_group(format!("{network}/{layout}"));
            group.sampling_mode(SamplingMode::Flat);
            for Problem { name, layer, flops } in problems(&NETWORKS, network, layout) {
                group.throughput(Throughput::Elements(flops));
                // Made when the first contender that the filter lets through needs it.
                let mut data = None;
                for contender in contenders.iter().filter(|contender| contender.times(flops)) {
                    let id = BenchmarkId::new(contender.name(), &name);
                    group.bench_function(id, |bencher| {
                        let data = data.get_or_insert_with(|| {
                            Data::new(&layer, Fill::Random, 0).expect("a layer of the catalog fits")
                        });
                        match contender.prepare(&data.case(1, None)) {
                            Ok(mut ready) => {
                                bencher.iter(|| ready.run().expect("it was prepared for this"));
                            }
                            Err(Refusal::Failed(why)) => panic!("{name}: {why}"),
                            Err(refusal) => eprintln!("{name}: {refusal}"),
                        }
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    // The whole default run has to fit in about ten minutes.
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .without_plots();
    targets = wall_clock
}
criterion_main!(benches);
