//! Tells people how far long work has come, on standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use store::maintenance::{Progress, Step};

/// A terminal is drawn anew this often.
const REDRAW: Duration = Duration::from_millis(200);
/// Elsewhere a line is written this often, so that a log stays short.
const LINE: Duration = Duration::from_secs(10);

/// Shows progress until it is dropped.
pub(super) struct Shown {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts to show `progress`. Work that is done within a moment shows nothing.
pub(super) fn show(progress: &Progress) -> Shown {
    let progress = progress.clone();
    let (end, ended) = channel::<()>();
    let thread = thread::Builder::new().name("progress".to_owned()).spawn(move || {
        let terminal = io::stderr().is_terminal();
        let every = if terminal { REDRAW } else { LINE };
        let begun = Instant::now();
        let mut drawn = false;
        while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            let Some(step) = progress.step() else { continue };
            let line = line(&step, begun.elapsed());
            let written = if terminal {
                write!(io::stderr(), "\r\x1b[K{line}")
            } else {
                writeln!(io::stderr(), "mip4d: {line}")
            };
            // Nobody may be there to read it.
            drop(written);
            drawn = terminal;
        }
        if drawn {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    });
    Shown { end: Some(end), thread: thread.ok() }
}

impl Drop for Shown {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn line(step: &Step, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match step.percent() {
        Some(percent) => format!("{}: {percent} %, {seconds} s", step.doing),
        None => format!("{}: {seconds} s", step.doing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_share_where_there_is_one() {
        let step = Step { doing: "reading", done: 30, total: 40 };
        assert_eq!(line(&step, Duration::from_secs(7)), "reading: 75 %, 7 s");
        let step = Step { total: 0, ..step };
        assert_eq!(line(&step, Duration::from_secs(7)), "reading: 7 s");
    }
}
