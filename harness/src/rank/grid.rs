//! Records arranged for comparison: a grid for each setting, with a row for each layer and a cell for
//! each contender.

use crate::catalog::{self, Entry};
use crate::contender::{SIBLINGS, is_partial};
use crate::pass::is_group;
use crate::record::Record;
use pointwise::{Layer, Layout};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// The contender that all others are compared with: the plan's choice.
pub const OURS: &str = "pointwise";

/// The weight of a layer in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How often the network has the layer.
    pub count: usize,
    /// Whether geometric means leave it out, as they do classifier heads.
    pub head: bool,
}

/// The layers that have a name. They have what records lack: multiplicity and epilogue.
#[derive(Clone, Debug, Default)]
pub struct Known {
    networks: HashMap<String, HashMap<String, Entry>>,
}

impl Known {
    /// The layers of [`catalog::catalog`].
    pub fn catalog() -> Known {
        Known::new(catalog::catalog().to_vec())
    }

    /// The layers given.
    pub fn new(entries: Vec<Entry>) -> Known {
        let mut networks: HashMap<String, HashMap<String, Entry>> = HashMap::new();
        for entry in entries {
            let (network, name) = (entry.network.to_string(), entry.name.to_string());
            networks.entry(network).or_default().insert(name, entry);
        }
        Known { networks }
    }

    fn entry(&self, record: &Record) -> Option<&Entry> {
        self.networks.get(&record.network)?.get(&record.layer)
    }

    /// The weight of a record's layer in its network. An unknown layer counts once.
    pub fn place(&self, record: &Record) -> Place {
        let one_pixel = record.h == 1 && record.w == 1;
        let (count, head) =
            self.entry(record).map_or((1, one_pixel), |entry| (entry.count, entry.head));
        // A head in a batch is bound by arithmetic, like any other layer.
        Place { count, head: head && record.n == 1 }
    }

    /// The layer of a record in the text form that every command takes. `None` for a named layer
    /// that is unknown, because a record does not have the epilogue.
    pub fn text(&self, record: &Record) -> Option<String> {
        if record.layer.parse::<Layer>().is_ok() {
            return Some(record.layer.clone());
        }
        let layer = self.entry(record)?.layer;
        let layout = Layout::ALL.into_iter().find(|layout| layout.name() == record.layout)?;
        Some(layer.layout(layout).batch(record.n).to_string())
    }
}

/// The kind of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The plan's choice.
    Ours,
    /// A library of others.
    Peer,
    /// A library of others in a layout of its own. Its time does not include the conversion.
    OwnLayout,
    /// Plain loops.
    Naive,
    /// A library of others that computes less than the layer: it is shown, and wins nothing.
    Partial,
    /// A kernel of ours by itself, or our plan used in another way.
    Kernel,
}

impl Role {
    /// The role of the contender that measured `record`.
    pub fn of(record: &Record) -> Role {
        match record.contender.as_str() {
            OURS => Role::Ours,
            "onednn-any" => Role::OwnLayout,
            "naive" => Role::Naive,
            name if is_partial(name) => Role::Partial,
            SIBLINGS => Role::Kernel,
            // A kernel of ours by itself is the contender and the kernel of its row.
            name if name == record.kernel => Role::Kernel,
            _ => Role::Peer,
        }
    }
}

/// The conditions that must be equal for times to be comparable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Setting {
    /// `f32`.
    pub dtype: String,
    /// `nchw` or `nhwc`.
    pub layout: String,
    /// The number of threads.
    pub threads: usize,
    /// The state of the caches.
    pub cache: String,
}

impl Setting {
    /// The setting that `record` was measured under.
    pub fn of(record: &Record) -> Setting {
        Setting {
            dtype: record.dtype.clone(),
            layout: record.layout.clone(),
            threads: record.threads,
            cache: record.cache.clone(),
        }
    }

    /// A short form of [`fmt::Display`], such as `NHWC, 1 thr., hot`.
    pub fn short(&self) -> String {
        let dtype = if self.dtype == "f32" { String::new() } else { format!(", {}", self.dtype) };
        let layout = self.layout.to_uppercase();
        format!("{layout}, {} thr., {}{dtype}", self.threads, self.cache)
    }

    /// A name for files and anchors, such as `nhwc-1t-hot`.
    pub fn slug(&self) -> String {
        let dtype = if self.dtype == "f32" { String::new() } else { format!("{}-", self.dtype) };
        format!("{dtype}{}-{}t-{}", self.layout, self.threads, self.cache)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        let layout = self.layout.to_uppercase();
        write!(f, "{layout}, {} {threads}, {} cache", self.threads, self.cache)?;
        if self.dtype == "f32" { Ok(()) } else { write!(f, ", {}", self.dtype) }
    }
}

/// One layer under one setting, with the records of all contenders.
#[derive(Clone, Debug)]
pub struct GridRow<'a> {
    /// A record of the layer, for its name and sizes.
    pub layer: &'a Record,
    /// The weight of the layer.
    pub place: Place,
    /// The text of the problem. Layers of several networks may be the same problem.
    pub problem: String,
    cells: HashMap<&'a str, &'a Record>,
}

impl<'a> GridRow<'a> {
    /// The contender's record, if it ran this layer.
    pub fn get(&self, contender: &str) -> Option<&'a Record> {
        self.cells.get(contender).copied()
    }

    /// The fastest record whose role satisfies `wanted`.
    pub fn best(&self, wanted: impl Fn(Role) -> bool) -> Option<&'a Record> {
        self.cells
            .values()
            .copied()
            .filter(|record| wanted(Role::of(record)))
            .min_by(|a, b| a.ns_median.total_cmp(&b.ns_median).then(a.contender.cmp(&b.contender)))
    }
}

/// The column of a contender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GridColumn {
    /// Its name in records.
    pub contender: String,
    /// Its kind.
    pub role: Role,
    /// Its version, or the last of several.
    pub version: String,
}

/// All that was measured under one setting.
#[derive(Clone, Debug)]
pub struct Grid<'a> {
    /// The setting.
    pub setting: Setting,
    /// Our plan first, then peers, naive loops and our kernels, each group by name.
    pub columns: Vec<GridColumn>,
    /// The layers in the order in which they first appear.
    pub rows: Vec<GridRow<'a>>,
}

impl<'a> Grid<'a> {
    /// The columns whose role satisfies `wanted`.
    pub fn columns_of(&self, wanted: impl Fn(Role) -> bool) -> impl Iterator<Item = &GridColumn> {
        self.columns.iter().filter(move |column| wanted(column.role))
    }

    /// The row of the first layer of each problem. A problem that several networks share was measured
    /// once and counts once.
    pub fn problems(&self) -> impl Iterator<Item = &GridRow<'a>> {
        let mut seen = HashSet::new();
        self.rows.iter().filter(move |row| seen.insert(row.problem.as_str()))
    }

    /// The networks in the order in which they first appear.
    pub fn networks(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !names.contains(&row.layer.network.as_str()) {
                names.push(&row.layer.network);
            }
        }
        names
    }
}

/// The place of a column: by kind, and peers in the order of [`PEERS`].
fn place_of(column: &GridColumn) -> (Role, usize) {
    let known = PEERS.iter().position(|name| *name == column.contender);
    (column.role, known.unwrap_or(PEERS.len()))
}

/// Convolutions first, then GEMMs.
const PEERS: [&str; 5] = ["onednn", "xnnpack", "openblas", "gemm", "matrixmultiply"];

/// Whether the time of a record is usable.
fn usable(record: &Record) -> bool {
    [record.ns_median, record.gflops].into_iter().all(|x| x.is_finite() && x > 0.0)
}

/// Arranges records into grids, one for each setting: hot caches before cold, then fewer threads
/// first, then NHWC before NCHW.
///
/// Of two records of the same contender on the same layer the later counts. Records without a
/// positive time are left out. So are records of passes and of groups of layers, which are compared
/// apart.
pub fn grids<'a>(records: &'a [Record], known: &Known) -> Vec<Grid<'a>> {
    let mut grids: Vec<Grid<'a>> = Vec::new();
    let mut grid_of: HashMap<Setting, usize> = HashMap::new();
    let mut row_of = HashMap::new();
    let is_layer =
        |record: &&Record| !record.is_of_a_pass() && !is_group(&record.network, &record.layer);
    for record in records.iter().filter(|record| usable(record)).filter(is_layer) {
        let setting = Setting::of(record);
        let at = *grid_of.entry(setting.clone()).or_insert_with(|| {
            grids.push(Grid { setting, columns: Vec::new(), rows: Vec::new() });
            grids.len() - 1
        });
        let grid = &mut grids[at];
        let Record { n, c, k, h, w, stride_h, stride_w, groups, .. } = *record;
        let sizes = [n, c, k, h, w, stride_h, stride_w, groups];
        let key = (at, record.network.as_str(), record.layer.as_str(), sizes);
        let row = *row_of.entry(key).or_insert_with(|| {
            let named = || format!("{}/{} {sizes:?}", record.network, record.layer);
            grid.rows.push(GridRow {
                layer: record,
                place: known.place(record),
                problem: known.text(record).unwrap_or_else(named),
                cells: HashMap::new(),
            });
            grid.rows.len() - 1
        });
        grid.rows[row].cells.insert(&record.contender, record);
        let found = grid.columns.iter_mut().find(|column| column.contender == record.contender);
        match found {
            Some(column) => column.version.clone_from(&record.version),
            None => grid.columns.push(GridColumn {
                contender: record.contender.clone(),
                role: Role::of(record),
                version: record.version.clone(),
            }),
        }
    }
    for grid in &mut grids {
        grid.columns.sort_by(|a, b| (place_of(a), &a.contender).cmp(&(place_of(b), &b.contender)));
    }
    grids.sort_by_key(|grid| {
        let Setting { dtype, layout, threads, cache } = grid.setting.clone();
        (dtype != "f32", dtype, cache != "hot", cache, threads, layout != "nhwc", layout)
    });
    grids
}
