//! A class graded by a job array of Slurm, on this machine: a controller and one node.
//!
//! It needs Debian's package `slurm-wlm`, and says loudly if it is skipped without.
#![cfg(target_os = "linux")]

mod common;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{classroom, put, reference, root};
use serde_json::Value;

/// How long the controller may take to answer.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// A controller and a node, ended when this is dropped.
struct Slurm {
    conf: PathBuf,
    daemons: Vec<Child>,
}

impl Slurm {
    fn start(folder: &Path) -> Slurm {
        let name = |program: &str, args: &[&str]| {
            let output = Command::new(program).args(args).output().expect("it runs");
            String::from_utf8_lossy(&output.stdout).trim().to_string()
        };
        let (user, host) = (name("id", &["-un"]), name("hostname", &["-s"]));
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let port = |index: usize| ports[index].local_addr().expect("bound").port();
        let (controller, node) = (port(0), port(1));
        drop(ports);
        let place = folder.display();
        // Two jobs at a time, whatever this machine has. `auth/none` trusts every local user.
        let text = format!(
            "ClusterName=workbook\nSlurmctldHost=localhost\nSlurmctldPort={controller}\n\
             SlurmdPort={node}\nSlurmUser={user}\nSlurmdUser={user}\nAuthType=auth/none\n\
             CredType=cred/none\nStateSaveLocation={place}/state\nSlurmdSpoolDir={place}/spool\n\
             SlurmctldPidFile={place}/slurmctld.pid\nSlurmdPidFile={place}/slurmd.pid\n\
             ProctrackType=proctrack/pgid\nTaskPlugin=task/none\n\
             JobAcctGatherType=jobacct_gather/none\nSelectType=select/cons_tres\n\
             SelectTypeParameters=CR_CPU_Memory\nSlurmdParameters=config_overrides\n\
             ReturnToService=2\nMpiDefault=none\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 State=UNKNOWN\n\
             PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
        );
        let conf = folder.join("slurm.conf");
        std::fs::write(&conf, text).expect("a file");
        for name in ["state", "spool"] {
            std::fs::create_dir(folder.join(name)).expect("a folder");
        }
        let mut slurm = Slurm { conf, daemons: Vec::new() };
        for daemon in [&["slurmctld", "-D"][..], &["slurmd", "-D", "-N", &host]] {
            let log = std::fs::File::create(folder.join(format!("{}.log", daemon[0])));
            let child = slurm
                .command(daemon[0])
                .args(&daemon[1..])
                .stdout(Stdio::null())
                .stderr(log.expect("a file"))
                .spawn();
            slurm.daemons.push(child.expect("a daemon"));
        }
        let began = Instant::now();
        while !slurm.run(slurm.command("scontrol").arg("ping")).stdout.ends_with(b"UP\n") {
            let log = std::fs::read_to_string(folder.join("slurmctld.log")).unwrap_or_default();
            assert!(began.elapsed() < STARTS_WITHIN, "the controller does not answer: {log}");
        }
        slurm
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", &self.conf).env_remove("CARGO_MANIFEST_DIR");
        command
    }

    fn run(&self, command: &mut Command) -> Output {
        command.output().expect("it runs")
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// The results in this folder, without what differs from run to run: times and conversations.
fn results(out: &Path) -> (String, Value) {
    fn clean(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(clean),
            Value::Object(fields) => {
                fields
                    .retain(|name, _| !["millis", "steps", "transcript"].contains(&name.as_str()));
                fields.values_mut().for_each(clean);
            }
            _ => {}
        }
    }
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect("a file");
    let mut json = serde_json::from_str(&read("results.json")).expect("JSON");
    clean(&mut json);
    (read("results.csv"), json)
}

#[test]
fn a_job_array_gives_what_one_machine_gives() {
    if Command::new("slurmctld").arg("-V").output().is_err() {
        common::skip("the job array of Slurm: there is no slurmctld (Debian: slurm-wlm)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (class, parts) = (folder.path().join("class"), folder.path().join("parts"));
    let right = reference("echo");
    put(&class.join("student-01"), "echo", &right);
    put(&class.join("student-02"), "echo", &right.replace("Welcome!", "Hello."));
    put(&class.join("student-03"), "echo", "not Rust");
    put(&class.join("student-04"), "echo", &format!("// Mine.\n{right}"));
    std::fs::create_dir_all(class.join("student-05")).expect("a folder");
    std::fs::create_dir(&parts).expect("a folder");
    let one = folder.path().join("one");
    let mut alone = classroom();
    alone.args(["class", "--seed", "7", "--each"]).arg(&class).arg("--out").arg(&one);
    assert!(alone.output().expect("it runs").status.success());

    let slurm = Slurm::start(folder.path());
    let mut batch = slurm.command("sbatch");
    batch
        .args(["--wait", "--array=1-2", "--output"])
        .arg(parts.join("slurm-%a.log"))
        .arg("platforms/slurm/class.sbatch")
        .args([&class, &parts])
        .args(["--seed", "7"])
        .env("CLASS", env!("CARGO_BIN_EXE_class"))
        .current_dir(root());
    let output = slurm.run(&mut batch);
    let logs: String = (1..=2)
        .map(|part| std::fs::read_to_string(parts.join(format!("slurm-{part}.log"))))
        .map(|log| format!("{}\n", log.unwrap_or_default()))
        .collect();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    println!("{said}{logs}");
    assert!(output.status.success(), "{said}{logs}");
    assert!(said.contains("Submitted batch job"), "{said}");

    let whole = folder.path().join("whole");
    let mut merge = classroom();
    merge.arg("merge").args([parts.join("part-1"), parts.join("part-2")]).arg("--out").arg(&whole);
    let merged = merge.output().expect("it runs");
    assert!(merged.status.success(), "{}", String::from_utf8_lossy(&merged.stderr));
    let (expected, got) = (results(&one), results(&whole));
    assert_eq!(got.0, expected.0, "the table");
    assert_eq!(got.1, expected.1, "the results");
}
