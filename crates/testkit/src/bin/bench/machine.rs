//! On what was it measured, and what else was going on?

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::load::histogram;

/// Writes that the disk is tried with.
const SYNCS: usize = 200;

/// The load average of the last minute.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next().and_then(|word| word.parse().ok());
    first.unwrap_or_default()
}

/// The processor's name and how many of its cores there are.
pub(crate) fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name.map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} × {name}")
}

/// How long the disk below the directory takes to make 4 KiB durable: the median and p99 in microseconds.
pub(crate) fn sync_micros(dir: &Path) -> Outcome<(u64, u64)> {
    let path = dir.join("sync-probe");
    let mut file = fs::File::create(&path)?;
    let mut times = histogram()?;
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.record(u64::try_from(started.elapsed().as_micros())?)?;
    }
    fs::remove_file(path)?;
    Ok((times.value_at_percentile(50.0), times.value_at_percentile(99.0)))
}
