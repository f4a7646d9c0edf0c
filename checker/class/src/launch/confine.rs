//! Puts limits on itself, then becomes the program it was asked to run: the last step into a
//! sandbox.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

/// Exit code of a program that was not run, because a limit could not be set.
pub(crate) const NOT_RUN: u8 = 126;

#[derive(Args, Default)]
pub(crate) struct Confine {
    /// Join this cgroup
    #[arg(long)]
    cgroup: Option<PathBuf>,
    /// Give up root for this user and group
    #[arg(long)]
    uid: Option<u32>,
    /// Seconds of processor time
    #[arg(long)]
    cpu: Option<u64>,
    /// Bytes of private memory of one process
    #[arg(long)]
    memory: Option<u64>,
    /// Bytes of one file
    #[arg(long)]
    file_size: Option<u64>,
    /// Open files of one process
    #[arg(long)]
    open_files: Option<u64>,
    /// Processes and threads of the user
    #[arg(long)]
    processes: Option<u64>,
    /// Run at the lowest priority
    #[arg(long)]
    patient: bool,
    /// Be the first to be killed when the machine has no memory left
    #[arg(long)]
    victim: bool,
    /// Refuse the system calls that no server and no compiler needs
    #[arg(long)]
    filter: bool,
    /// With Landlock: read only below these
    #[arg(long)]
    read: Vec<PathBuf>,
    /// With Landlock: write only below these
    #[arg(long)]
    write: Vec<PathBuf>,
    /// With Landlock: connect to no port
    #[arg(long)]
    no_connect: bool,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    argv: Vec<std::ffi::OsString>,
}

/// Does not return if all goes well.
#[cfg(target_os = "linux")]
pub(crate) fn run(args: &Confine) -> ExitCode {
    let error = linux::become_program(args);
    eprintln!("error: cannot run {}: {error}", args.argv[0].display());
    ExitCode::from(NOT_RUN)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn run(args: &Confine) -> ExitCode {
    // Only `--sandbox off` gets here, which asks for limits alone, and this system has none of
    // these.
    match std::process::Command::new(&args.argv[0]).args(&args.argv[1..]).status() {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            ExitCode::from(code.unwrap_or(NOT_RUN))
        }
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", args.argv[0].display());
            ExitCode::from(NOT_RUN)
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::convert::Infallible;
    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use thiserror::Error;

    use super::Confine;
    use crate::launch::{filter, rules};

    #[derive(Debug, Error)]
    pub(super) enum ConfineError {
        #[error("its cgroup: {0}")]
        Cgroup(io::Error),
        #[error("its priority among the victims: {0}")]
        Victim(io::Error),
        #[error("a limit: {0}")]
        Limit(io::Error),
        #[error("Landlock: {0}")]
        Landlock(#[from] rules::RulesError),
        #[error("the filter of system calls: {0}")]
        Filter(#[from] filter::FilterError),
        #[error("{0}")]
        Exec(io::Error),
    }

    pub(super) fn become_program(args: &Confine) -> ConfineError {
        match prepare(args) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn prepare(args: &Confine) -> Result<Infallible, ConfineError> {
        let mut command = Command::new(&args.argv[0]);
        command.args(&args.argv[1..]);
        if let Some(uid) = args.uid {
            // Supplementary groups are given up with the user.
            command.uid(uid).gid(uid);
        }
        if let Some(cgroup) = &args.cgroup {
            // 0 stands for the process that writes.
            std::fs::write(cgroup.join("cgroup.procs"), "0").map_err(ConfineError::Cgroup)?;
        }
        if args.victim {
            std::fs::write("/proc/self/oom_score_adj", "1000").map_err(ConfineError::Victim)?;
        }
        if args.patient {
            let _ = rustix::process::nice(19);
        }
        set_limits(args)?;
        if !args.read.is_empty() || !args.write.is_empty() {
            rules::apply(&args.read, &args.write, args.no_connect)?;
        }
        if args.filter {
            filter::apply()?;
        }
        Err(ConfineError::Exec(command.exec()))
    }

    fn set_limits(args: &Confine) -> Result<(), ConfineError> {
        // The signal at the soft limit says what happened. The one at the hard limit cannot be
        // caught.
        let limits = [
            (Resource::Cpu, args.cpu, 2),
            (Resource::Data, args.memory, 0),
            (Resource::Fsize, args.file_size, 0),
            (Resource::Nofile, args.open_files, 0),
            (Resource::Nproc, args.processes, 0),
            (Resource::Core, Some(0), 0),
        ];
        for (resource, wanted, grace) in limits {
            let Some(wanted) = wanted else { continue };
            // A lower limit of the machine stays.
            let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
            let limit = Rlimit {
                current: Some(wanted.min(most)),
                maximum: Some(wanted.saturating_add(grace).min(most)),
            };
            setrlimit(resource, limit).map_err(|error| ConfineError::Limit(error.into()))?;
        }
        Ok(())
    }
}
