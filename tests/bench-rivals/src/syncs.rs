//! Counts this process's `fdatasync` and `fsync` calls where the kernel sees them: perf events on the
//! system calls' tracepoints, one for each thread, inherited by the threads that it starts. That needs
//! root, or a kernel that lets its users trace; without, there is no figure.

use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};

const TRACEPOINTS: &str = "/sys/kernel/tracing/events/syscalls";
const CALLS: [&str; 2] = ["sys_enter_fdatasync", "sys_enter_fsync"];

/// Counters that run.
pub struct Syncs(Vec<Counter>);

impl Syncs {
    /// Whether the kernel's trace points can be seen.
    pub fn can_count() -> bool {
        CALLS.iter().all(|call| std::fs::exists(format!("{TRACEPOINTS}/{call}/id")).unwrap_or(false))
    }

    /// Counts from now on, in all threads.
    pub fn start() -> Option<Self> {
        let mut counters = Vec::new();
        for call in CALLS {
            let id = std::fs::read_to_string(format!("{TRACEPOINTS}/{call}/id")).ok()?;
            let point = Tracepoint::with_id(id.trim().parse().ok()?);
            for thread in std::fs::read_dir("/proc/self/task").ok()? {
                let thread: i32 = thread.ok()?.file_name().to_str()?.parse().ok()?;
                let built = Builder::new(point.clone()).observe_pid(thread).any_cpu().inherit(true).build();
                // A thread may have ended since; that all fail is seen below.
                if let Ok(mut counter) = built {
                    counter.enable().ok()?;
                    counters.push(counter);
                }
            }
        }
        (!counters.is_empty()).then_some(Self(counters))
    }

    /// Calls so far.
    pub fn read(&mut self) -> Option<u64> {
        self.0.iter_mut().map(|counter| counter.read().ok()).sum()
    }
}
