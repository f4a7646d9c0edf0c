//! Puts limits on itself, then becomes the program it was asked to run: the last step into a sandbox.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Args;

/// Exit code for a program that could not be run.
const NOT_RUN: u8 = 126;

#[derive(Args, Default)]
pub(crate) struct Confine {
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
    /// Give way to everybody else
    #[arg(long)]
    patient: bool,
    /// Processes and threads
    #[arg(long)]
    processes: Option<u64>,
    /// With Landlock: nothing may be read but what lies below these
    #[arg(long)]
    read: Vec<PathBuf>,
    /// With Landlock: nothing may be written but what lies below these
    #[arg(long)]
    write: Vec<PathBuf>,
    /// With Landlock: listen only where `ADDR` may say, and connect to nothing
    #[arg(long)]
    no_connect: bool,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    argv: Vec<String>,
}

#[cfg(target_os = "linux")]
pub(crate) fn run(args: Confine) -> ExitCode {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(&args.argv[0]);
    command.args(&args.argv[1..]);
    if let Some(uid) = args.uid {
        // Supplementary groups go with the user.
        command.uid(uid).gid(uid);
    }
    limit(&args);
    if args.patient {
        // Who is refused that merely stands in others' way.
        let _ = rustix::process::nice(19);
    }
    if let Err(error) = linux::lock(&args) {
        eprintln!("error: Landlock: {error}");
        return ExitCode::from(NOT_RUN);
    }
    let error = command.exec();
    eprintln!("error: cannot run {}: {error}", args.argv[0]);
    ExitCode::from(NOT_RUN)
}

/// Whether this kernel enforces Landlock.
#[cfg(target_os = "linux")]
pub(crate) fn landlock_works() -> bool {
    use std::process::Stdio;

    let exe = std::env::current_exe().unwrap_or_default();
    let quiet = |arguments: &[&str]| {
        let mut command = Command::new(&exe);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let system = ["confine", "--read", "/usr", "--read", "/lib", "--read", "/lib64", "--"];
    // Locked up, programs still run, and may not read what was not named.
    quiet(&[&system[..], &["/usr/bin/env", "true"]].concat())
        && !quiet(&[&system[..], &["/usr/bin/head", "-c1", "/proc/self/status"]].concat())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn landlock_works() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn run(args: Confine) -> ExitCode {
    match Command::new(&args.argv[0]).args(&args.argv[1..]).status() {
        Ok(status) => ExitCode::from(
            status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_RUN),
        ),
        Err(_) => ExitCode::from(NOT_RUN),
    }
}

#[cfg(target_os = "linux")]
fn limit(args: &Confine) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limits = [
        (Resource::Cpu, args.cpu),
        (Resource::Data, args.memory),
        (Resource::Fsize, args.file_size),
        (Resource::Nofile, args.open_files),
        (Resource::Nproc, args.processes),
        (Resource::Core, Some(0)),
    ];
    for (resource, wanted) in limits {
        let Some(wanted) = wanted else { continue };
        // Nobody may raise what is lower already.
        let wanted = getrlimit(resource).maximum.map_or(wanted, |most| most.min(wanted));
        let _ = setrlimit(resource, Rlimit { current: Some(wanted), maximum: Some(wanted) });
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use harness::server::{DEFAULT_PORT, OWN_PORTS};
    use landlock::{
        ABI, Access, AccessFs, AccessNet, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetError, Scope, path_beneath_rules,
    };

    /// What is asked of the kernel; an older one does what it can.
    const WANTED: ABI = ABI::V6;

    pub(super) fn lock(args: &super::Confine) -> Result<(), RulesetError> {
        if args.read.is_empty() && args.write.is_empty() {
            return Ok(());
        }
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(WANTED))?
            .scope(Scope::from_all(WANTED))?;
        if args.no_connect {
            rules = rules.handle_access(AccessNet::from_all(WANTED))?;
        }
        let mut rules = rules
            .create()?
            .add_rules(path_beneath_rules(&args.read, AccessFs::from_read(WANTED)))?
            .add_rules(path_beneath_rules(&args.write, AccessFs::from_all(WANTED)))?;
        if args.no_connect {
            // Port 0 is any free port. The default is that of a server that ignores `ADDR`, which
            // is to be found out.
            let ports = OWN_PORTS.chain([0, DEFAULT_PORT]);
            let allowed = |port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::BindTcp));
            rules = rules.add_rules(ports.map(allowed))?;
        }
        rules.restrict_self()?;
        Ok(())
    }
}
