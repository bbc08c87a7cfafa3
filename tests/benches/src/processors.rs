//! The time of all processors, from proc(5): what a backup costs the machine, whichever process pays.

use std::time::Duration;

/// The length of a tick. It is USER_HZ, which Linux keeps at 100 a second for every program.
const TICK: Duration = Duration::from_millis(10);

/// How long the processors were busy since the machine started, added up.
pub(crate) fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let first = stat.lines().next().unwrap();
    let ticks: Vec<u32> = first.split_whitespace().skip(1).map(|field| field.parse().unwrap()).collect();
    // user, nice, system, idle, iowait, irq, softirq; what follows is other machines' or counted already.
    TICK * [0, 1, 2, 5, 6].map(|at| ticks[at]).iter().sum()
}

/// How long this process was, all its threads together.
pub(crate) fn own() -> Duration {
    of(std::process::id())
}

/// How long the process `pid` was, all its threads together.
pub(crate) fn of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The program's name may hold anything; behind it the eleven fields before the two times begin.
    let times = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    TICK * times.map(|ticks| ticks.parse::<u32>().unwrap()).sum::<u32>()
}
