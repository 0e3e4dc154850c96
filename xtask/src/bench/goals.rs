//! What system calls may cost.

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// Name of the figure, as `bench/calls` prints it.
    pub name: &'static str,
    /// For a person.
    pub title: &'static str,
    /// At most so many instructions; 0 for figures without a goal.
    pub most: u64,
    /// The figure of `bench/linux` that comes closest, and what it is.
    pub linux: Option<(&'static str, &'static str)>,
    /// Whether it says something with several CPUs, too.
    pub with_more_cpus: bool,
}

const fn goal(name: &'static str, title: &'static str, most: u64) -> Goal {
    Goal {
        name,
        title,
        most,
        linux: None,
        with_more_cpus: true,
    }
}

impl Goal {
    const fn beside(self, name: &'static str, title: &'static str) -> Self {
        Self {
            linux: Some((name, title)),
            ..self
        }
    }

    const fn with_one_cpu(self) -> Self {
        Self {
            with_more_cpus: false,
            ..self
        }
    }
}

/// All lines, in the order of the table.
pub const GOALS: [Goal; 13] = [
    goal("null", "null system call, round trip", 120).beside("getppid", "getppid"),
    goal(
        "call-reply",
        "IPC call and reply, other address space, 8 words",
        500,
    )
    .beside("pipe", "pipe, 64 bytes there and back"),
    goal(
        "call-reply-4-handles",
        "the same with 4 handles moved each way",
        1_500,
    ),
    goal(
        "notify",
        "notification until a waiting thread of higher priority runs",
        600,
    )
    .beside("eventfd", "eventfd, FIFO priorities"),
    goal("look-up", "handle look-up with all checks", 40),
    goal("revoke-250", "revoke, 250 descendants in 2 processes", 0),
    goal("revoke-500", "revoke, 500 descendants in 3 processes", 0),
    goal(
        "revoke-1000",
        "revoke, 1,000 descendants in 5 processes",
        150_000,
    ),
    goal("map-unmap", "map and unmap a page", 800).beside("mmap", "mmap, populated, and munmap"),
    goal(
        "process-create",
        "process create to its first instruction",
        60_000,
    )
    .beside("exec", "fork and exec to its first instruction")
    .with_one_cpu(),
    goal("switch", "context switch between processes", 250)
        .beside("switch", "sched_yield, FIFO priorities"),
    goal("handle-info", "`HandleInfo`, round trip", 0),
    goal("yield-round-trip", "`Yield` to another process and back", 0),
];
