//! What the store is measured with, beside references of the same run.
//!
//! ```text
//! storebench commits FOLDER [SECONDS] [ROUNDS]     durable commits a second: ours, bare append, sled, redb, etcd
//! storebench lag FOLDER [COMMITS_A_SECOND] [SECONDS]  from a commit to the watches that see it
//! storebench growth FOLDER [SECONDS] [BINDINGS]    disk while 1,000 bindings are renewed a second
//! ```
//!
//! FOLDER is on the disk that is measured. Prints tables in Markdown.

mod commits;
mod etcd;
mod growth;
mod lag;
mod rows;
mod usage;

use std::error::Error;
use std::path::PathBuf;

type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Done<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: storebench commits|lag|growth FOLDER [NUMBER] [NUMBER]";
    let [command, folder, numbers @ ..] = words.as_slice() else { return Err(usage.into()) };
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    let number = |at: usize, default: u64| -> Done<u64> {
        Ok(numbers.get(at).map_or(Ok(default), |text| text.parse())?)
    };
    match command.as_str() {
        "commits" => commits::run(&folder, number(0, 2)?, number(1, 5)?),
        "lag" => lag::run(&folder, number(0, 10_000)?, number(1, 10)?),
        "growth" => growth::run(&folder, number(0, 600)?, number(1, 100_000)?),
        _ => Err(usage.into()),
    }
}
