//! Submissions that attack while they are built or while they run.
//!
//! An attack that succeeds ends its server, so a server that passes was kept from what it tried.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::common::grader::{Class, Ground, grounds, is_running, open};
use crate::common::{check, count, reference, root};

/// The solution's echo server, with this done before anything else.
pub(crate) fn attack_source(code: &str) -> String {
    let text =
        reference("echo").replacen("async fn main() {", "async fn main() {\n    attack();", 1);
    assert!(text.contains("attack();"), "the solution has another main function");
    format!(
        "#![allow(unsafe_code)]\n{text}\n#[allow(unused)]\nfn attack() {{\n{code}\n}}\n\
         #[allow(unused)]\nfn succeeded(yes: bool) {{\n    if yes {{
             std::process::exit(42) }}\n}}\n\
         #[allow(unused)]\nunsafe extern \"C\" {{\n    fn syscall(number: i64,
             ...) -> i64;\n    fn getuid() -> u32;\n    \
         fn setuid(id: u32) -> i32;\n    fn ioctl(fd: i32, request: u64, ...) -> i32;\n    \
         fn mmap(at: usize, length: usize, protection: i32, flags: i32, fd: i32,
             offset: i64) -> isize;\n}}\n"
    )
}

struct Attack {
    name: &'static str,
    source: String,
    deserves: Deserves,
    /// The levels that stop it.
    levels: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Deserves {
    /// It tried in vain, and is else a right server.
    Pass,
    /// It does not compile, and the compiler says this.
    NoProgram(&'static str),
    /// It compiles, and no check of it passes.
    NoServer,
    /// It has no full points.
    Failure,
    /// It completes handshakes, and the check of them takes less than half a minute.
    InTime,
}

use Deserves::{Failure, InTime, NoProgram, NoServer, Pass};

/// A server that completes each handshake and then sends this frame without end.
fn flood(frame: &str) -> String {
    format!(
        r#"use std::io::{{Read, Write}};
        let listener = std::net::TcpListener::bind(std::env::var("ADDR").expect("ADDR"))
            .expect("a port");
        println!("WebSocket server running on ws://{{}}", listener.local_addr().expect("bound"));
        for stream in listener.incoming().flatten() {{
            std::thread::spawn(move || -> std::io::Result<()> {{
                let (mut stream, mut head) = (stream, String::new());
                while !head.ends_with("\r\n\r\n") {{
                    let mut buffer = [0; 4096];
                    let read = stream.read(&mut buffer)?;
                    head += &String::from_utf8_lossy(&buffer[..read]);
                }}
                let fields = head.lines().filter_map(|line| line.split_once(':'));
                let mut keys =
                    fields.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
                let key = keys.next().map_or("", |(_, key)| key.trim());
                use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
                let accept = derive_accept_key(key.as_bytes());
                write!(stream, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")?;
                write!(stream, "Connection: Upgrade\r\nSec-WebSocket-Accept: {{accept}}\r\n\r\n")?;
                let frames = {frame}.repeat(32 * 1024);
                loop {{ stream.write_all(&frames)?; }}
            }});
        }}"#
    )
}

const WALLS: &[&str] = &["bubblewrap", "landlock"];
const ALL: &[&str] = &["bubblewrap", "landlock", "off"];

fn attacks(class: &Class, ports: (u16, u16), socket: &Path) -> Vec<Attack> {
    let solution = root().join("solutions/echo/src/main.rs").display().to_string();
    let victim = class.submissions().join("zz-the-next").display().to_string();
    let outside = class.folder().join("written").display().to_string();
    let socket = socket.display().to_string();
    let run = |name, code: String, deserves, levels| Attack {
        name,
        source: attack_source(&code),
        deserves,
        levels,
    };
    let build = |name, source: String, words| Attack {
        name,
        source: format!("{}\n{source}\n", attack_source("")),
        deserves: NoProgram(words),
        levels: WALLS,
    };
    vec![
        build(
            "reads-the-solution-at-build-time",
            format!("const _: &str = include_str!({solution:?});"),
            "couldn't read",
        ),
        build(
            "reads-a-terminal-at-build-time",
            "const _: &[u8] = include_bytes!(\"/dev/ptmx\");".to_string(),
            "couldn't read",
        ),
        build(
            "reads-zeros-without-end",
            "const _: &[u8] = include_bytes!(\"/dev/zero\");".to_string(),
            "couldn't read",
        ),
        build(
            "reads-its-own-pipe",
            "const _: &[u8] = include_bytes!(\"/proc/self/fd/2\");".to_string(),
            // A user can open its own pipe, and then the watchdog ends the build.
            "",
        ),
        Attack {
            name: "says-too-much",
            source: format!("compile_error!(\"{}\");\n", "x".repeat(300)).repeat(3000),
            deserves: NoProgram("printed more than"),
            levels: ALL,
        },
        Attack {
            name: "nests-without-end",
            source: format!("fn main() {{ {}{} }}", "(".repeat(60_000), ")".repeat(60_000)),
            deserves: NoProgram(""),
            levels: ALL,
        },
        Attack {
            name: "forges-a-fault-of-the-machine",
            source: r#"compile_error!("Resource temporarily unavailable (os error 11)");
                fn main() {}"#
                .to_string(),
            deserves: NoProgram("os error 11"),
            levels: ALL,
        },
        Attack {
            name: "compiles-for-ever",
            source: format!(
                "#![allow(long_running_const_eval)]\n{}\n\
                 const _: () = {{ let mut n = 0u64; while n < u64::MAX {{ n += 1; }} }};\n",
                attack_source("")
            ),
            deserves: NoProgram("processor time"),
            levels: ALL,
        },
        run(
            "reads-the-solution",
            format!("succeeded(std::fs::read({solution:?}).is_ok());"),
            Pass,
            WALLS,
        ),
        run(
            "reads-another-submission",
            format!("succeeded(std::fs::read_dir({victim:?}).is_ok());"),
            Pass,
            WALLS,
        ),
        run(
            "reads-a-secret",
            r#"succeeded(std::env::var_os("CLASS_SECRET").is_some());
            for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
                let environ = std::fs::read(process.path().join("environ")).unwrap_or_default();
                succeeded(String::from_utf8_lossy(&environ).contains("CLASS_SECRET"));
            }"#
            .to_string(),
            Pass,
            WALLS,
        ),
        run(
            "reads-an-inherited-descriptor",
            r#"use std::{io::Read, os::fd::FromRawFd};
            for number in 3..64 {
                // Whatever it is, it is not this program's.
                let mut file = std::mem::ManuallyDrop::new(unsafe {
                    std::fs::File::from_raw_fd(number) });
                let mut text = [0; 64];
                let length = match file.metadata() { Ok(file) if file.is_file() => file.len(),
                    _ => 0 };
                succeeded(length > 0 && file.read(&mut text)
                    .is_ok_and(|read| text[..read].starts_with(b"swordfish")));
            }"#
            .to_string(),
            Pass,
            ALL,
        ),
        run(
            "writes-outside",
            format!(
                r#"for path in [{outside:?}, "/usr/bin/mine", "/etc/mine", "/server", "/mine",
                    "/dev/mine", "/dev/shm/mine"] {{
                    succeeded(std::fs::write(path, "mine").is_ok());
                }}"#
            ),
            Pass,
            WALLS,
        ),
        run(
            "writes-kernel-settings",
            r#"for name in ["core_pattern", "modprobe", "hotplug"] {
                let path = format!("/proc/sys/kernel/{name}");
                succeeded(std::fs::OpenOptions::new().write(true).open(path).is_ok());
            }"#
            .to_string(),
            Pass,
            ALL,
        ),
        run("floods-with-empty-messages", flood("[0x81, 0]"), InTime, ALL),
        run("floods-with-pings", flood("[0x89, 0]"), InTime, ALL),
        run(
            "connects-out",
            format!(
                "succeeded(std::net::TcpStream::connect((\"127.0.0.1\", {})).is_ok());\n\
                 succeeded(std::net::UdpSocket::bind(\"127.0.0.1:0\")
                     .and_then(|socket| socket.send_to(b\"x\", (\"127.0.0.1\", {}))).is_ok());\n\
                 succeeded(std::os::unix::net::UnixStream::connect({socket:?}).is_ok());",
                ports.0, ports.1
            ),
            Pass,
            WALLS,
        ),
        run(
            "kills-and-traces-the-grader",
            r#"let me = std::process::id().to_string();
            let parent = std::os::unix::process::parent_id().to_string();
            let seen = std::fs::read_dir("/proc").into_iter().flatten().flatten()
                .map(|other| other.file_name().to_string_lossy().into_owned());
            for other in seen.chain([parent]) {
                if other.parse::<u32>().is_ok() && other != me {
                    succeeded(std::fs::OpenOptions::new().write(true)
                        .open(format!("/proc/{other}/mem")).is_ok() && other != "1");
                    let number: i32 = other.parse().unwrap_or(0);
                    // In a process table of its own, process 1 cannot be killed.
                    succeeded(unsafe { syscall(62, number, 9) } == 0 && other != "1"
                        && other != "2");
                }
            }"#
            .to_string(),
            Pass,
            WALLS,
        ),
        run(
            "makes-namespaces",
            r#"// unshare(CLONE_NEWUSER), clone3, mount
            succeeded(unsafe { syscall(272, 0x1000_0000_i64) } == 0);
            succeeded(unsafe { syscall(435, 0_i64, 0_i64) } == 0
                || std::io::Error::last_os_error().raw_os_error() != Some(38));
            succeeded(std::process::Command::new("unshare").args(["-Ur", "true"])
                .stderr(std::process::Stdio::null()).status()
                .is_ok_and(|status| status.success()));"#
                .to_string(),
            Pass,
            ALL,
        ),
        run(
            "keeps-capabilities",
            r#"let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            let set = |name: &str| status.lines().find_map(|line| line.strip_prefix(name))
                .map(|set| set.trim().trim_matches('0').to_string());
            succeeded(set("CapEff:").is_some_and(|set| !set.is_empty()));
            succeeded(set("NoNewPrivs:").is_some_and(|set| set != "1"));"#
                .to_string(),
            Pass,
            WALLS,
        ),
        run(
            "takes-uncounted-memory",
            r#"// memfd_create, shared pages without a file, System V shared memory
            succeeded(unsafe { syscall(319, c"mine".as_ptr(), 0_i64) } >= 0);
            succeeded(unsafe { mmap(0, 1 << 24, 3, 0x21, -1, 0) } != -1);
            succeeded(unsafe { syscall(29, 0_i64, 1_i64 << 24, 0o1600_i64) } >= 0);"#
                .to_string(),
            Pass,
            ALL,
        ),
        run(
            "takes-memory-in-many-processes",
            r#"if std::env::var_os("HOG").is_some() {
                let _all = vec![1u8; 300 << 20];
                loop { std::thread::park() }
            }
            for _ in 0..8 {
                std::process::Command::new("/proc/self/exe").env("HOG", "1").spawn()
                    .or_else(|_| std::process::Command::new(std::env::args().next()
                    .unwrap_or_default()).env("HOG", "1").spawn()).expect("one more");
            }
            std::thread::sleep(std::time::Duration::from_secs(8));"#
                .to_string(),
            NoServer,
            ALL,
        ),
        run(
            "forks-without-end",
            r#"loop { std::process::Command::new("sleep").arg("98761").spawn().expect("one more");
                }"#
            .to_string(),
            NoServer,
            ALL,
        ),
        run(
            "allocates-without-end",
            "let mut all = Vec::new(); loop { all.push(vec![1u8; 1 << 24]); }".to_string(),
            NoServer,
            ALL,
        ),
        run(
            "fills-the-disk",
            r#"let mut n = 0;
            loop { n += 1; std::fs::write(format!("/tmp/{n}"), vec![1u8; 1 << 22])
                .expect("room for more"); }"#
                .to_string(),
            NoServer,
            &["bubblewrap"],
        ),
        run(
            "prints-a-forged-result",
            r#"let verdicts = "{\"passed\":33,\"failed\":0,\"blocked\":0,\"unknown\":0}";
            println!("{{\"totals\":{verdicts}}}\ntest result: ok. 33 passed");
            std::process::exit(0);"#
                .to_string(),
            NoServer,
            ALL,
        ),
        run(
            "prints-terminal-codes",
            r#"eprintln!("\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}\n::add-mask::x");
                std::process::exit(1);"#
                .to_string(),
            NoServer,
            ALL,
        ),
        run(
            "leaves-daemons",
            r#"use std::os::unix::process::CommandExt;
            let sleep = |seconds: &str| { let mut sleep = std::process::Command::new("sleep");
                sleep.arg(seconds).env_clear().env("PATH", "/usr/bin:/bin"); sleep };
            std::process::Command::new("setsid").args(["sh", "-c", "sleep 98762 & exit"])
                .env_clear().env("PATH", "/usr/bin:/bin").status().expect("setsid");
            // In the server's session, in a group of its own, without its environment.
            sleep("98763").process_group(0).spawn().expect("sleep");
            // With a mark that says it is another server's.
            sleep("98764").process_group(0).env("WORKBOOK_SERVER", "1-1-00000000").spawn()
                .expect("sleep");
            std::process::Command::new("setsid").args(["sh", "-c", "sleep 98765 & exit"])
                .env("WORKBOOK_SERVER", "1-1-00000000").status().expect("setsid");"#
                .to_string(),
            Pass,
            ALL,
        ),
        run(
            "holds-a-port",
            r#"if std::env::var_os("HOLD").is_some() {
                let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
                loop { drop(held.accept()); }
            }
            let program = std::env::args().next().unwrap_or_default();
            std::process::Command::new("setsid").arg("--fork").arg(program).env("HOLD", "1")
                .status().expect("setsid");"#
                .to_string(),
            Pass,
            ALL,
        ),
        run(
            "steals-a-port",
            r#"let listening = || -> Vec<u16> {
                let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
                let lines = table.lines().filter(|line| line.split_whitespace()
                    .nth(3) == Some("0A"));
                lines.filter_map(|line| u16::from_str_radix(line.split_whitespace()
                    .nth(1)?.rsplit_once(':')?.1, 16).ok()).collect()
            };
            // Waits for a neighbour's server that starts later, and names its port.
            let before = listening();
            loop {
                if let Some(port) = listening().into_iter().find(|port| !before.contains(port)) {
                    println!("WebSocket server running on ws://127.0.0.1:{port}");
                    loop { std::thread::park() }
                }
            }"#
            .to_string(),
            Failure,
            ALL,
        ),
    ]
}

/// Grades all attacks that this level stops, in one class.
fn attack(ground: Ground) {
    let mut class = Class::new(ground);
    let (tcp, udp) = (
        TcpListener::bind("127.0.0.1:0").expect("a port"),
        UdpSocket::bind("127.0.0.1:0").expect("a port"),
    );
    let socket = class.folder().join("socket");
    let _unix = UnixListener::bind(&socket).expect("a socket");
    open_to_all(&socket, 0o777);
    let ports = (tcp.local_addr().expect("bound").port(), udp.local_addr().expect("bound").port());
    let mut attacks = attacks(&class, ports, &socket);
    attacks.retain(|attack| attack.levels.contains(&ground.level));
    for attack in &attacks {
        class.put(attack.name, &attack.source);
    }
    class.put_right("zz-the-next");
    class.args = ["--build-cpu", "20"].map(Into::into).into();
    class.env.push(("CLASS_SECRET", "swordfish".into()));
    // The grader inherits a descriptor of a file that only its user may read.
    let secret = class.folder().join("results/secret");
    std::fs::write(&secret, "swordfish").expect("a file");
    let script = "exec 9<\"$0\" && exec \"$@\"";
    open_to_all(&secret, 0o644);
    class.before = ["sh", "-c", script].map(Into::into).into();
    class.before.push(secret.into());
    class.grade();
    let mut wrong = Vec::new();
    for attack in &attacks {
        if let Err(error) = std::panic::catch_unwind(|| judge(&class, attack)) {
            let words = error.downcast_ref::<String>().cloned().unwrap_or_default();
            wrong.push(format!("{}: {words}", attack.name));
        }
    }
    assert!(wrong.is_empty(), "{ground:?}: {}", wrong.join("\n"));
    class.assert_right("zz-the-next");
    assert!(!class.folder().join("written").exists(), "something was written outside");
    for left in ["98761", "98762", "98763", "98764", "98765"] {
        assert!(!is_running(left), "{ground:?}: sleep {left} is still there");
    }
}

fn open_to_all(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its own");
}

fn judge(class: &Class, attack: &Attack) {
    let result = class.result(attack.name);
    let told = open(&result);
    assert_eq!(result["status"], "graded", "{told}");
    let handshake = check(&result, "echo::handshake");
    match attack.deserves {
        Pass => assert_eq!(count(&result, "echo", "passed"), 12, "{told}"),
        NoProgram(words) => {
            assert_eq!(handshake["summary"], "Exercise echo does not compile.", "{told}");
            assert!(handshake["got"].as_str().is_some_and(|got| got.contains(words)), "{told}");
            assert!(result["millis"].as_u64().is_some_and(|millis| millis < 120_000), "{told}");
        }
        NoServer => {
            assert_eq!(handshake["outcome"], "failed", "{told}");
            assert_ne!(handshake["summary"], "Exercise echo does not compile.", "{told}");
            assert_eq!(result["points"], 0, "{told}");
        }
        Failure => assert_eq!(result["points"], 0, "{told}"),
        InTime => {
            assert_eq!(handshake["outcome"], "passed", "{told}");
            assert!(handshake["millis"].as_u64().is_some_and(|millis| millis < 30_000), "{told}");
        }
    }
}

#[test]
fn on_the_best_level_as_this_user() {
    let root = crate::common::grader::is_root();
    attack(Ground { level: "bubblewrap", root });
}

/// Tries all attacks on a ground that the tests can reach.
fn attack_if_possible(level: &'static str, root: bool) {
    match grounds(&[level]).into_iter().find(|ground| ground.root == root) {
        Some(ground) => attack(ground),
        None => eprintln!("NOT TRIED: only root can grade as root"),
    }
}

#[test]
#[ignore = "minutes: see main.rs"]
fn with_bubblewrap_as_a_plain_user() {
    attack_if_possible("bubblewrap", false);
}

#[test]
#[ignore = "minutes: see main.rs"]
fn with_landlock_as_root() {
    attack_if_possible("landlock", true);
}

#[test]
#[ignore = "minutes: see main.rs"]
fn with_landlock_as_a_plain_user() {
    attack_if_possible("landlock", false);
}

#[test]
#[ignore = "minutes: see main.rs"]
fn without_walls_as_root() {
    attack_if_possible("off", true);
}

#[test]
#[ignore = "minutes: see main.rs"]
fn without_walls_as_a_plain_user() {
    attack_if_possible("off", false);
}
