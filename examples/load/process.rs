//! What a process has used, by the kernel's books.

use std::{fs, time::Duration};

/// Another process of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(u32);

/// Clock ticks per second in `/proc/PID/stat`; Linux has said 100 to user space since ever.
const TICKS: u64 = 100;

impl Process {
    /// The process of this id.
    pub(crate) fn new(pid: u32) -> Self {
        Self(pid)
    }

    fn read(self, file: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))
    }

    /// User and system time of all its threads.
    pub(crate) fn cpu(self) -> Result<Duration, String> {
        let stat = self.read("stat")?;
        let behind = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = behind.split_whitespace().skip(11);
        let mut tick = || fields.next().and_then(|f| f.parse::<u64>().ok()).ok_or("bad stat");
        let ticks = tick()? + tick()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS))
    }

    /// Resident memory in KiB.
    pub(crate) fn rss_kib(self) -> Result<u64, String> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        line.trim().trim_end_matches(" kB").parse().map_err(|_| format!("VmRSS: {line}"))
    }
}
