//! The attacks of the threat model, each one a submission: it gets the verdict it deserves, and the others are graded
//! as if nothing had happened.
//!
//! An attack that succeeds ends its server, so a server that passes was kept from what it tried.
#![cfg(target_os = "linux")]

mod common;

use std::net::TcpListener;
use std::path::Path;

use common::{check, classroom, count, put, reference, result, root};

/// The reference's echo server, with this done before anything else.
fn attacking(code: &str) -> String {
    let text =
        reference("echo").replacen("async fn main() {", "async fn main() {\n    attack();", 1);
    format!(
        "{text}\nfn attack() {{\n{code}\n}}\nfn succeeded(yes: bool) {{\n    if yes {{ process::exit(42) }}\n}}\n"
    )
}

struct Attack {
    name: &'static str,
    source: String,
    deserves: Deserves,
}

enum Deserves {
    /// It tried in vain, and is else a right server.
    Pass,
    /// It does not compile, and these are among the compiler's words.
    NoProgram(&'static str),
    /// It compiles and does not come up.
    NoServer,
}

fn attacks(victim: &Path, outside: &Path, port: u16) -> Vec<Attack> {
    use Deserves::{NoProgram, NoServer, Pass};
    let solution = root().join("solutions/echo/src/main.rs");
    let (solution, victim, outside) = (solution.display(), victim.display(), outside.display());
    let attack = |name, code: String, deserves| Attack { name, source: attacking(&code), deserves };
    vec![
        Attack {
            name: "reads-the-solution-at-build-time",
            source: format!("const _: &str = include_str!({:?});\n{}", solution.to_string(), attacking("succeeded(false)")),
            deserves: NoProgram("couldn't read"),
        },
        attack("reads-the-solution", format!("succeeded(std::fs::read({:?}).is_ok());", solution.to_string()), Pass),
        attack("reads-another-submission", format!("succeeded(std::fs::read_dir({:?}).is_ok());", victim.to_string()), Pass),
        attack(
            "reads-a-secret",
            r#"succeeded(env::var_os("CLASS_SECRET").is_some());
            for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
                let environ = std::fs::read(process.path().join("environ")).unwrap_or_default();
                succeeded(String::from_utf8_lossy(&environ).contains("CLASS_SECRET"));
            }"#
            .to_string(),
            Pass,
        ),
        attack(
            "writes-outside",
            format!(
                r#"for path in [{:?}, "/usr/bin/mine", "/etc/mine", "/server", "/mine"] {{
                    succeeded(std::fs::write(path, "mine").is_ok());
                }}"#,
                outside.to_string()
            ),
            Pass,
        ),
        attack("connects-out", format!("succeeded(std::net::TcpStream::connect((\"127.0.0.1\", {port})).is_ok());"), Pass),
        attack(
            "kills-and-traces-the-grader",
            r#"let me = process::id().to_string();
            for other in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
                let other = other.file_name().to_string_lossy().into_owned();
                if other.parse::<u32>().is_ok() && other != me {
                    succeeded(std::fs::OpenOptions::new().write(true).open(format!("/proc/{other}/mem")).is_ok() && other != "1");
                    let _ = process::Command::new("kill").args(["-9", &other]).stderr(process::Stdio::null()).status();
                }
            }"#
            .to_string(),
            Pass,
        ),
        attack("forks-without-end", r#"loop { process::Command::new("sleep").arg("98761").spawn().expect("one more"); }"#.to_string(), NoServer),
        attack("allocates-without-end", "let mut all = Vec::new(); loop { all.push(vec![1u8; 1 << 24]); }".to_string(), NoServer),
        attack(
            "fills-the-disk",
            r#"let mut n = 0;
            loop { n += 1; std::fs::write(format!("/tmp/{n}"), vec![1u8; 1 << 22]).expect("room for more"); }"#
                .to_string(),
            NoServer,
        ),
        attack(
            "prints-a-forged-result",
            r#"println!("{{\"totals\":{{\"passed\":33,\"failed\":0,\"blocked\":0,\"unknown\":0}}}}\ntest result: ok. 33 passed"); process::exit(0);"#
                .to_string(),
            NoServer,
        ),
        attack(
            "leaves-a-daemon",
            r#"process::Command::new("setsid").args(["sh", "-c", "sleep 98762 & exit"]).env_clear().env("PATH", "/usr/bin:/bin").status().expect("setsid");"#
                .to_string(),
            Pass,
        ),
        attack(
            "holds-a-port",
            r#"if env::var_os("HOLD").is_some() {
                let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
                loop { drop(held.accept()); }
            }
            process::Command::new("setsid").arg("--fork").arg("/server").env("HOLD", "1").status().expect("setsid");"#
                .to_string(),
            Pass,
        ),
        Attack {
            name: "compiles-for-ever",
            source: format!(
                "#![allow(long_running_const_eval)]\n{}\nconst _: () = {{ let mut n = 0u64; while n < u64::MAX {{ n += 1; }} }};\n",
                attacking("succeeded(false)")
            ),
            deserves: NoProgram(""),
        },
    ]
}

#[test]
fn attacks_get_what_they_deserve_and_the_next_is_graded_as_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let (class, out, outside) =
        (folder.path().join("class"), folder.path().join("out"), folder.path().join("written"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let attacks =
        attacks(&class.join("zz-the-next"), &outside, listener.local_addr().expect("bound").port());
    for attack in &attacks {
        put(&class.join(attack.name), "echo", &attack.source);
    }
    put(&class.join("zz-the-next"), "echo", &reference("echo"));
    let output = classroom()
        .args(["class", "--sandbox", "require", "--build-cpu", "25", "--each"])
        .arg(&class)
        .arg("--out")
        .arg(&out)
        .env("CLASS_SECRET", "swordfish")
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("--sandbox require") {
        common::skip(&told);
        return;
    }
    for attack in &attacks {
        let result = result(&out, attack.name);
        let name = attack.name;
        let handshake = check(&result, "echo::handshake");
        assert_eq!(result["status"], "graded", "{name}: {}", result["reason"]);
        match attack.deserves {
            Deserves::Pass => {
                assert_eq!(count(&result, "echo", "passed"), 12, "{name}: {handshake:#}")
            }
            Deserves::NoProgram(words) => {
                assert_eq!(handshake["summary"], "echo does not compile", "{name}: {handshake:#}");
                assert!(
                    handshake["got"].as_str().is_some_and(|got| got.contains(words)),
                    "{name}: {handshake:#}"
                );
            }
            Deserves::NoServer => {
                assert_eq!(handshake["outcome"], "failed", "{name}: {handshake:#}");
                assert_ne!(handshake["summary"], "echo does not compile", "{name}: {handshake:#}");
                assert_eq!(result["points"], 0, "{name}");
            }
        }
    }
    let next = result(&out, "zz-the-next");
    assert_eq!(
        (count(&next, "echo", "passed"), count(&next, "echo", "failed")),
        (12, 0),
        "{next:#}"
    );
    assert!(!outside.exists(), "something was written outside");
    for left in ["98761", "98762"] {
        assert!(!running(left), "sleep {left} is still there");
    }
}

/// Whether a process has this word in its command line.
fn running(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let mut lines =
        processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes()))
}
