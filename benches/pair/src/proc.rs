//! What Linux tells about a process: `proc(5)`.

use std::fs;

/// Context switches and CPU time of all threads of a process so far.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    /// Voluntary and involuntary.
    pub switches: u64,
    /// User and system time in nanoseconds.
    pub cpu_ns: u64,
}

/// Sum over `/proc/PID/task/*`. A thread that has ended is no longer in it.
pub fn usage(pid: u32) -> Result<Usage, String> {
    let mut sum = Usage::default();
    let tasks = format!("/proc/{pid}/task");
    for task in fs::read_dir(&tasks).map_err(|e| format!("{tasks}: {e}"))? {
        let path = task.map_err(|e| e.to_string())?.path();
        let status = fs::read_to_string(path.join("status")).map_err(|e| e.to_string())?;
        for line in status
            .lines()
            .filter(|line| line.contains("voluntary_ctxt_switches"))
        {
            sum.switches += number(line.split_whitespace().nth(1))?;
        }
        let times = fs::read_to_string(path.join("schedstat")).map_err(|e| e.to_string())?;
        sum.cpu_ns += number(times.split_whitespace().next())?;
    }
    Ok(sum)
}

/// Resident memory in bytes.
pub fn resident(pid: u32) -> Result<u64, String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|e| e.to_string())?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .ok_or("no VmRSS")?;
    Ok(number(line.split_whitespace().nth(1))? * 1024)
}

fn number(word: Option<&str>) -> Result<u64, String> {
    word.and_then(|w| w.parse().ok())
        .ok_or_else(|| "unexpected text in /proc".to_owned())
}
