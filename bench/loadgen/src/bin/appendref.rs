//! `appendref FOLDER OCTETS BATCH SECONDS`: what the disk alone can do.
//!
//! Appends records of OCTETS, `fdatasync`s after every BATCH, and removes the
//! file. Prints one line of JSON: records a second, and the sync's p50 and p99.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let number = |at: usize| words[at].parse::<usize>().expect("a number");
    let path = Path::new(&words[1]).join("appendref.tmp");
    let (octets, batch, seconds) = (number(2), number(3), number(4));
    let mut file = File::create(&path).expect("a file");
    let record = vec![0x5a; octets];
    let started = Instant::now();
    let (mut records, mut syncs) = (0_usize, Vec::new());
    while started.elapsed() < Duration::from_secs(seconds as u64) {
        let mut buffer = Vec::with_capacity(octets * batch);
        for _ in 0..batch {
            buffer.extend(&record);
        }
        file.write_all(&buffer).expect("written");
        let sync = Instant::now();
        file.sync_data().expect("synced");
        syncs.push(sync.elapsed());
        records += batch;
    }
    let elapsed = started.elapsed().as_secs_f64();
    fs::remove_file(&path).expect("removed");
    syncs.sort_unstable();
    let at = |part: usize| syncs.get(syncs.len() * part / 100).map_or(0, Duration::as_micros);
    println!(
        "{{\"per_second\":{:.0},\"fdatasync_p50_us\":{},\"fdatasync_p99_us\":{}}}",
        records as f64 / elapsed,
        at(50),
        at(99)
    );
}
