//! What does a process need?

use std::fs;
use std::time::Duration;

use crate::Outcome;

/// Ticks in a second, as the kernel counts them for programs on every Linux.
const TICKS: u32 = 100;

/// Memory in MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// What is resident now.
    pub(crate) now: f64,
    /// The most that ever was.
    pub(crate) peak: f64,
}

/// The memory of a process.
pub(crate) fn memory(pid: u32) -> Outcome<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |name: &str| -> Outcome<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.trim_start_matches(':').trim().split(' ').next());
        let kib: f64 = kib.ok_or(format!("no {name} of process {pid}"))?.parse()?;
        Ok(kib / 1024.0)
    };
    Ok(Memory {
        now: of("VmRSS")?,
        peak: of("VmHWM")?,
    })
}

/// The processor time that a process has used so far.
pub(crate) fn processor_time(pid: u32) -> Outcome<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in brackets, may contain spaces.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system) = (fields.next(), fields.next());
    let ticks = |field: Option<&str>| -> Outcome<u32> { Ok(field.ok_or("no processor time")?.parse()?) };
    Ok(Duration::from_secs(1) * (ticks(user)? + ticks(system)?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_has_worked() {
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.now > 0.5 && memory.peak >= memory.now, "{memory:?}");
        assert!(processor_time(std::process::id()).unwrap() < Duration::from_hours(1));
    }
}
