//! The system calls that no server and no compiler needs, refused by seccomp.
//!
//! It closes what the other walls leave open: input pushed into a terminal, memory that no process
//! limit counts, namespaces inside of namespaces, sockets other than TCP, and the parts of the
//! kernel that have had most faults.

use std::collections::BTreeMap;

use libc::{ENOSYS, EPERM, SYS_clone, SYS_clone3, SYS_ioctl, SYS_mmap, SYS_socket};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is,
    SeccompCondition, SeccompFilter, SeccompRule, apply_filter,
};
use thiserror::Error;

#[derive(Debug, Error)]
pub(super) enum FilterError {
    #[error("{0}")]
    Backend(#[from] BackendError),
    #[error("{0}")]
    Apply(#[from] seccompiler::Error),
}

/// Refused whatever their arguments are.
const REFUSED: &[libc::c_long] = &[
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Memory that counts towards no limit of a process.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_mq_open,
    libc::SYS_msgget,
    libc::SYS_semget,
    // Large parts of the kernel with a history of faults.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_fanotify_init,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_personality,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

/// `ioctl` requests that reach into a terminal: push input, switch consoles, change the line
/// discipline.
const TERMINAL: [u64; 3] = [0x5412, 0x541c, 0x5423];

/// The bit of a system call number that selects the x32 table, in which the same calls would pass.
#[cfg(target_arch = "x86_64")]
const X32: i64 = 0x4000_0000;

/// Installs the filter for this process and its descendants, which cannot take it off.
pub(super) fn apply() -> Result<(), FilterError> {
    let refused = compiled(rules()?, EPERM)?;
    // The C library falls back to `clone`, whose flags can be looked at.
    let unknown = compiled(BTreeMap::from([(SYS_clone3, Vec::new())]), ENOSYS)?;
    apply_filter(&unknown)?;
    apply_filter(&refused)?;
    Ok(())
}

fn compiled(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    error: libc::c_int,
) -> Result<BpfProgram, BackendError> {
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        refuse,
        std::env::consts::ARCH.try_into()?,
    )?;
    filter.try_into()
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let namespaces = namespaces.map(|flag| u64::from(flag.unsigned_abs()));
    rules.insert(SYS_clone, each(&namespaces, |flag| vec![has(0, flag)])?);
    rules.insert(SYS_ioctl, each(&TERMINAL, |request| vec![is(1, Is::Eq, request)])?);
    // Memory that is shared and has no file: its pages are charged to no process.
    let shared = (libc::MAP_SHARED | libc::MAP_ANONYMOUS).unsigned_abs().into();
    rules.insert(SYS_mmap, each(&[shared], |flags| vec![has(3, flags)])?);
    // Only TCP: datagrams are not covered by Landlock, nor are the sockets of the system's
    // services.
    let [v4, v6] = [libc::AF_INET, libc::AF_INET6].map(|family| u64::from(family.unsigned_abs()));
    let mut socket = vec![rule(vec![is(0, Is::Ne, v4), is(0, Is::Ne, v6)])?];
    // Every type but SOCK_STREAM (1). Flags stand above the type's four bits.
    let types: Vec<u64> = (0..16).filter(|kind| *kind != 1).collect();
    socket.extend(each(&types, |kind| vec![is(1, Is::MaskedEq(0xf), kind)])?);
    rules.insert(SYS_socket, socket);
    #[cfg(target_arch = "x86_64")]
    {
        let twice: Vec<i64> = rules.keys().map(|call| call | X32).collect();
        // The table has numbers of its own from 512 to 547.
        rules.extend(
            twice
                .into_iter()
                .chain((512..=547).map(|call| call | X32))
                .map(|call| (call, Vec::new())),
        );
    }
    Ok(rules)
}

fn each(
    values: &[u64],
    conditions: impl Fn(u64) -> Vec<Result<SeccompCondition, BackendError>>,
) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| rule(conditions(*value))).collect()
}

fn rule(
    conditions: Vec<Result<SeccompCondition, BackendError>>,
) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}

/// Whether the argument has all bits of `flags`.
fn has(argument: u8, flags: u64) -> Result<SeccompCondition, BackendError> {
    is(argument, Is::MaskedEq(flags), flags)
}

fn is(argument: u8, comparison: Is, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Width::Dword, comparison, value)
}
