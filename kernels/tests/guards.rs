//! No buffer is read or written past its ends: each one ends at a page that faults, then starts
//! after one, for every kernel and tail; what lies around it is untouched.
//!
//! The test places input, weights, bias, residual and output itself. A memory allocator of its own
//! places the library's packed panels and scratch. A process has one allocator, and a page that
//! faults ends the process, so this test is a binary of its own.
#![cfg(target_os = "linux")]

mod case;

use case::{Case, Network, POISON, Place, Slices, Tensors, Values, runnable, tile};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use pointwise::{Activation, Layer, Layout, Padding, Parameters};
use std::alloc::{GlobalAlloc, Layout as Memory, System};

/// Bytes of a page, on every machine that the tests run on; a mapping that it does not suit fails.
const PAGE: usize = 4096;

/// At which end of its memory the next guarded buffer touches a page that faults.
static AT_END: AtomicBool = AtomicBool::new(true);
static BUFFERS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Maps room for `bytes` between two pages that fault; null if that fails.
fn map(bytes: usize) -> *mut u8 {
    let len = bytes.next_multiple_of(PAGE);
    BUFFERS.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes, Relaxed);
    // SAFETY: a fresh anonymous mapping, of which the inner pages are then opened.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let all = libc::mmap(core::ptr::null_mut(), len + 2 * PAGE, libc::PROT_NONE, flags, -1, 0);
        if all == libc::MAP_FAILED {
            return core::ptr::null_mut();
        }
        let room = all.cast::<u8>().add(PAGE);
        if libc::mprotect(room.cast(), len, libc::PROT_READ | libc::PROT_WRITE) != 0 {
            return core::ptr::null_mut();
        }
        room
    }
}

/// # Safety
/// `room` came from [`map`] for as many bytes, and is not used any more.
unsafe fn unmap(room: *mut u8, bytes: usize) {
    // SAFETY: by contract.
    unsafe { libc::munmap(room.sub(PAGE).cast(), bytes.next_multiple_of(PAGE) + 2 * PAGE) };
}

/// The system's allocator, but for what is aligned to 64 bytes, as the library's packed panels
/// and scratch are: that goes between pages that fault.
struct Guarded;

const LINE: usize = 64;

// SAFETY: hands out the system's memory, or mappings that are as large as was asked, zeroed, not
// shared and aligned to 64 bytes at either end since their sizes are multiples of that.
unsafe impl GlobalAlloc for Guarded {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        if memory.align() != LINE || !memory.size().is_multiple_of(LINE) {
            // SAFETY: the caller's contract is the system's.
            return unsafe { System.alloc(memory) };
        }
        let room = map(memory.size());
        if room.is_null() || !AT_END.load(Relaxed) {
            return room;
        }
        // SAFETY: stays in the room, so much larger than what was asked for.
        unsafe { room.add(memory.size().next_multiple_of(PAGE) - memory.size()) }
    }

    unsafe fn dealloc(&self, at: *mut u8, memory: Memory) {
        if memory.align() != LINE || !memory.size().is_multiple_of(LINE) {
            // SAFETY: it came from the system.
            unsafe { System.dealloc(at, memory) };
        } else {
            // SAFETY: the buffer started in the first page of its room, wherever it was placed.
            unsafe { unmap(at.map_addr(|at| at & !(PAGE - 1)), memory.size()) };
        }
    }
}

#[global_allocator]
static GUARDED: Guarded = Guarded;

/// Floats at the end, or at the start, of memory between two pages that fault; poison in the rest.
struct Buffer {
    room: *mut f32,
    all: usize,
    first: usize,
    len: usize,
}

impl Buffer {
    fn of(values: &[f32]) -> Buffer {
        let bytes = size_of_val(values);
        let all = bytes.next_multiple_of(PAGE) / 4;
        let first = if AT_END.load(Relaxed) { all - values.len() } else { 0 };
        let mut buffer = Buffer { room: map(bytes).cast(), all, first, len: values.len() };
        assert!(!buffer.room.is_null());
        buffer.whole_mut().fill(POISON);
        buffer.values_mut().copy_from_slice(values);
        buffer
    }

    fn whole(&self) -> &[f32] {
        // SAFETY: `all` floats are mapped there, zeroed at least, and borrowed from `self`.
        unsafe { core::slice::from_raw_parts(self.room, self.all) }
    }

    fn whole_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and no one else has them.
        unsafe { core::slice::from_raw_parts_mut(self.room, self.all) }
    }

    fn values(&self) -> &[f32] {
        &self.whole()[self.first..][..self.len]
    }

    fn values_mut(&mut self) -> &mut [f32] {
        let (first, len) = (self.first, self.len);
        &mut self.whole_mut()[first..][..len]
    }

    /// Whether nothing was written around the values.
    fn is_intact(&self) -> bool {
        let (first, end) = (self.first, self.first + self.len);
        let whole = self.whole();
        whole[..first].iter().chain(&whole[end..]).all(|v| v.to_bits() == POISON.to_bits())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `of` mapped it, for so many bytes.
        unsafe { unmap(self.room.cast(), self.len * 4) };
    }
}

/// The command of the case that is running, for the handler of a fault.
static RUNNING: std::sync::RwLock<String> = std::sync::RwLock::new(String::new());

/// Says which case faulted.
extern "C" fn faulted(_: libc::c_int) {
    let message = match RUNNING.try_read() {
        Ok(command) => format!("a page that guards a buffer was touched\nrepeat it: {command}\n"),
        Err(_) => String::from("a page that guards a buffer was touched\n"),
    };
    // SAFETY: writes a string; then ends the process, which cannot go on.
    unsafe {
        libc::write(2, message.as_ptr().cast(), message.len());
        libc::_exit(139);
    }
}

/// Runs a case with all of its buffers guarded, at one end and then at the other.
fn check(case: &Case) {
    *RUNNING.write().unwrap() =
        format!("POINTWISE_GUARDED='{case}' cargo test -p pointwise --test guards");
    let network = case.network();
    for at_end in [true, false] {
        AT_END.store(at_end, Relaxed);
        // A thread of its own has no scratch yet, so that it gets one of the right size.
        std::thread::scope(|scope| {
            scope.spawn(|| run_guarded(case, &network));
        });
    }
}

fn run_guarded(case: &Case, network: &Network) {
    let of = &network.tensors;
    let input = Buffer::of(&network.input);
    let guarded = |values: fn(&Tensors) -> Option<&[f32]>| {
        of.iter().map(|of| values(of).map(Buffer::of)).collect::<Vec<_>>()
    };
    let weights = guarded(|of| Some(&of.weights));
    let bias = guarded(|of| of.bias.as_deref());
    let slopes = guarded(|of| of.slopes.as_deref());
    let residual = guarded(|of| of.residual.as_deref());
    let blank = |want: &Vec<f32>| Buffer::of(&vec![POISON; want.len()]);
    let mut output: Vec<Buffer> = network.want.iter().map(blank).collect();

    fn values(buffer: &Option<Buffer>) -> Option<&[f32]> {
        buffer.as_ref().map(Buffer::values)
    }
    let mut parameters = Vec::new();
    for ((weights, bias), slopes) in weights.iter().zip(&bias).zip(&slopes) {
        let mut of = Parameters::new(values(weights).expect("every layer has weights"));
        (of.bias, of.slopes) = (values(bias), values(slopes));
        parameters.push(of);
    }
    let mut slices = Slices {
        input: input.values(),
        parameters,
        residuals: residual.iter().map(values).collect(),
        outputs: output.iter_mut().map(Buffer::values_mut).collect(),
    };
    network.run(case, &mut slices).unwrap();
    for (index, output) in output.iter().enumerate() {
        if let Err(why) = network.compare(index, output.values()) {
            panic!("{why}: {case}");
        }
    }
    let given = weights.iter().chain(&bias).chain(&slopes).chain(&residual).flatten();
    for buffer in given.chain(&output).chain([&input]) {
        assert!(buffer.is_intact(), "written around a buffer: {case}");
    }
    let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    assert!(same(input.values(), &network.input), "the input was written: {case}");
}

/// One test, since the end that is guarded is one setting for the process.
#[test]
fn no_buffer_is_left_by_any_kernel_on_any_tail() {
    // SAFETY: the handler only writes and exits.
    unsafe {
        libc::signal(libc::SIGSEGV, faulted as *const () as libc::sighandler_t);
        libc::signal(libc::SIGBUS, faulted as *const () as libc::sighandler_t);
    }
    if let Ok(case) = std::env::var("POINTWISE_GUARDED") {
        return check(&case.parse().unwrap());
    }
    // Each N-th case, for emulators.
    let step: usize =
        std::env::var("POINTWISE_GUARDS_STEP").map_or(1, |step| step.parse().unwrap());
    let mut cases = 0;
    for (index, case) in cases_of_every_tail().enumerate() {
        if index % step == 0 {
            cases += 1;
            check(&case);
        }
    }
    println!(
        "{cases} cases twice, {} buffers of {} bytes together between pages that fault",
        BUFFERS.load(Relaxed),
        BYTES.load(Relaxed)
    );
}

fn cases_of_every_tail() -> impl Iterator<Item = Case> {
    let forms = Layout::ALL.into_iter().flat_map(|layout| {
        [(1, false), (1, true), (2, false), (2, true)].map(|(stride, pack)| (layout, stride, pack))
    });
    let all = forms.flat_map(|form| runnable().into_iter().map(move |kernel| (form, kernel)));
    all.flat_map(|((layout, stride, pack), kernel)| {
        let (pixels, outputs) = tile(kernel);
        // With a stride of 2 an odd size ends with a pixel that is wanted, an even one with a
        // pixel that is not.
        let widths = (1..=pixels + 1).flat_map(move |w| {
            let odd = Layer::new(9, outputs + 1, 1, w * stride - (stride - 1));
            [odd.bias(true), Layer::new(5, outputs + 1, 1, w * stride).residual(true)]
        });
        let heights = (1..=outputs + 1).map(move |k| {
            let layer = Layer::new(3, k, 2 * stride - 1, pixels / 2 + 1);
            layer.bias(true).residual(true).activation(Activation::Relu6)
        });
        let depths = (1..=18).map(move |c| Layer::new(c, outputs / 2 + 1, 3, pixels / 3 + 2));
        let padding = Padding::Explicit { top: 1, bottom: 2, left: 1, right: 0 };
        let others = [
            Layer::new(17, 7, 7, 7).batch(3).residual(true),
            Layer::new(8, outputs * 2 + 3, 5, 9).padding(padding).bias(true),
            Layer::new(8, 12, 5, 9).groups(4).batch(2).bias(true),
        ];
        // Everything else that a layer can have.
        let rest = [
            Layer::new(8, 2 * outputs + 2, 3, 5).groups(2).shuffle(true).bias(true),
            Layer::new(5, outputs + 1, 5, 7).average(true).activation(Activation::Gelu),
            Layer::new(5, outputs - 1 + outputs % 2, 5, 7).activation(Activation::Prelu),
            Layer::new(4, outputs + 3, 3, 7).residual(true).activation(Activation::HardSwish),
        ];
        let layers = widths.chain(heights).chain(depths).chain(others).chain(rest);
        layers.enumerate().map(move |(index, layer)| {
            let layer = layer.layout(layout).stride(stride, stride);
            let mut case = Case::forced(layer, kernel, 1 + index % 4, pack);
            case.values = if index % 2 == 0 { Values::Plain } else { Values::Special };
            case.options.threads = 1 + index % 3;
            case.place = Place::Serial;
            case.seed = 1 + index as u64;
            if index % 5 == 3 {
                case.layer.output_layout = Layout::ALL[index % 2];
            }
            case.views = index % 3 == 1;
            case.siblings = if index % 4 == 2 { 1 + index % 3 } else { 0 };
            case
        })
    })
}
