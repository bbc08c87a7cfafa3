//! Time of all processors, from proc(5): a backup's cost to the machine, in whichever process it arises.

use std::time::Duration;

/// Length of a tick. USER_HZ is 100 a second for every program on Linux.
const TICK: Duration = Duration::from_millis(10);

/// Total busy time of the processors since the machine started.
pub(crate) fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let first = stat.lines().next().unwrap();
    let ticks: Vec<u32> = first.split_whitespace().skip(1).map(|field| field.parse().unwrap()).collect();
    // user, nice, system, idle, iowait, irq, softirq. The later fields are left out: steal is the time of other virtual
    // machines, and the guests' times are already in user and nice.
    TICK * [0, 1, 2, 5, 6].map(|at| ticks[at]).iter().sum()
}

/// Processor time of all threads of this process.
pub(crate) fn own() -> Duration {
    of(std::process::id())
}

/// Processor time of all threads of the process `pid`.
pub(crate) fn of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The program's name can contain any character; eleven more fields precede the two times.
    let times = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    TICK * times.map(|ticks| ticks.parse::<u32>().unwrap()).sum::<u32>()
}
