//! Runs the program under test; nothing outlives its test.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use rustix::process::Signal;

pub(crate) const MIP4D: &str = env!("CARGO_BIN_EXE_mip4d");

/// What a process did that has ended.
pub(crate) struct Done {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `mip4d` with `words` to its end.
pub(crate) fn mip4d(words: &[&str]) -> Done {
    let output = Command::new(MIP4D)
        .args(words)
        .env_remove("MIP4_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Done {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder of files for one test.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file that nobody else can read; returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        self.set_mode(name, 0o600);
        path
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// A `mip4d` that goes on; killed if its test ends without stopping it.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    /// Starts `mip4d` with `words`; lines of both outputs can be waited for.
    pub(crate) fn start(words: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(MIP4D)
            .args(words)
            .env_remove("MIP4_LOG")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        follow(child.stdout.take().unwrap(), "out: ", sender.clone());
        follow(child.stderr.take().unwrap(), "err: ", sender);
        Self { child, lines }
    }

    /// The next line that contains `text`, with everything before it if none comes.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        let mut others = String::new();
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if line.contains(text) {
                return line;
            }
            others.push_str(&line);
            others.push('\n');
        }
        panic!("no line with {text:?} in:\n{others}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
    }

    /// Sends `signal` and waits for the end; returns the exit status, -1 if a signal ended it.
    pub(crate) fn end(mut self, signal: Signal) -> i32 {
        self.signal(signal);
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn follow(output: impl Read + Send + 'static, prefix: &'static str, lines: mpsc::Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if lines.send(format!("{prefix}{line}")).is_err() {
                return;
            }
        }
    });
}
