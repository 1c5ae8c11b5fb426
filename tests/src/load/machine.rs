//! What the kernel says of this process: processor time, memory.
//!
//! Owns reading `/proc`. Gives zero where there is none: the figures are then missing, not wrong.

use std::path::Path;
use std::time::Duration;

/// Processor time, to a hundredth of a second.
pub type CpuTime = Duration;

/// The threads of the doubles have this name; their processor time is not Sortie's.
pub const DOUBLES_THREAD: &str = "doubles";

/// A tick of the kernel's accounts: `USER_HZ` is 100 on every Linux that Sortie runs on.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of this process so far, the threads of the doubles left out.
pub fn cpu_time() -> CpuTime {
    let all = ticks(Path::new("/proc/self/stat"));
    let threads = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let doubles: u32 = threads
        .map(|thread| thread.path())
        .filter(|thread| {
            std::fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim() == DOUBLES_THREAD)
        })
        .map(|thread| ticks(&thread.join("stat")))
        .sum();
    TICK * all.saturating_sub(doubles)
}

/// User and system time of a `stat` file.
fn ticks(path: &Path) -> u32 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The name in brackets may hold blanks; user and system time are the 12th and 13th after it.
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = after_name.split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<u32>().ok()).sum()
}

/// Resident memory of a process in KiB.
pub fn resident_kib(process: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A count as a number to divide; counts here are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts of a measurement are small")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}
