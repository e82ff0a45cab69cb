//! Durable commits a second, by one, 64 and 1,024 writers, each with one commit under way.
//!
//! The references have no queue of their own, so the rows of as many writers are
//! handed to them at once: that is the best that a queue before them could do.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redb::TableDefinition;
use store::{OpenOptions, Store, StoreUrl};
use tokio::runtime::Runtime;

use crate::etcd::Etcd;
use crate::usage::{Figure, Meter, commas, middle};
use crate::{Done, rows};

const WRITERS: [u32; 3] = [1, 64, 1024];
/// How many bindings there are to renew.
const BINDINGS: u32 = 10_000;
const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("bindings");
const NAMES: [&str; 5] = [
    "**ours** (`sled:`)",
    "bare append + fdatasync",
    "redb, a transaction for all writers' rows",
    "sled, a `flush` for all writers' rows (which is no sync)",
    "etcd, one member, by our client",
];

pub fn run(folder: &Path, seconds: u64, rounds: u64) -> Done<()> {
    let time = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ours = runtime.block_on(async {
        let url = StoreUrl::Sled(folder.join("ours/store"));
        std::fs::create_dir_all(folder.join("ours"))?;
        Done::Ok(Store::open(&url, OpenOptions::default()).await?)
    })?;
    let redb = redb::Database::create(folder.join("redb"))?;
    let sled = sled::Config::new().path(folder.join("sled")).flush_every_ms(None).open()?;
    let member = Etcd::start(&folder.join("etcd"))?;
    let etcd = runtime.block_on(member.open())?;
    for writers in WRITERS {
        let mut figures: [Vec<Figure>; 5] = Default::default();
        for _ in 0..rounds {
            let round = [
                through(&runtime, &ours, writers, time)?,
                append(&folder.join("append"), writers, time)?,
                in_redb(&redb, writers, time)?,
                in_sled(&sled, writers, time)?,
                through(&runtime, &etcd, writers, time)?,
            ];
            for (all, one) in figures.iter_mut().zip(round) {
                all.push(one);
            }
        }
        print(writers, &figures);
    }
    runtime.block_on(ours.close());
    Ok(())
}

fn print(writers: u32, figures: &[Vec<Figure>; 5]) {
    println!(
        "| {writers} writers | durable commits/s, min / median / max | CPU µs a commit, median | ours is |"
    );
    println!("|---|---|---|---|");
    let rates = |one: &[Figure]| middle(one.iter().map(|one| one.per_second).collect());
    let (_, ours, _) = rates(&figures[0]);
    for (name, one) in NAMES.iter().zip(figures) {
        let (least, median, most) = rates(one);
        let (_, cpu, _) = middle(one.iter().map(|one| one.cpu_us).collect());
        let ratio = ours / median;
        println!(
            "| {name} | {} / {} / {} | {cpu:.1} | {ratio:.2} × |",
            commas(least),
            commas(median),
            commas(most)
        );
    }
    println!();
}

/// Writers as tasks on a store of ours, each waiting for its own commit.
fn through(runtime: &Runtime, store: &Store, writers: u32, time: Duration) -> Done<Figure> {
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        let meter = Meter::start();
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let (store, stop, done) = (store.clone(), Arc::clone(&stop), Arc::clone(&done));
                tokio::spawn(async move {
                    let mut number = writer;
                    while !stop.load(Ordering::Relaxed) {
                        number = (number + writers) % BINDINGS;
                        let counted = done.fetch_add(1, Ordering::Relaxed);
                        store.commit(rows::batch(number, counted)?).await?;
                    }
                    Done::Ok(())
                })
            })
            .collect();
        tokio::time::sleep(time).await;
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await??;
        }
        Ok(meter.end(done.load(Ordering::Relaxed)))
    })
}

fn append(path: &Path, writers: u32, time: Duration) -> Done<Figure> {
    let mut file = File::create(path)?;
    let meter = Meter::start();
    let mut done = 0;
    while meter.elapsed() < time {
        let mut octets = Vec::new();
        for _ in 0..writers {
            let (key, value) = rows::stored(number(done), done)?;
            octets.extend(key.as_bytes());
            octets.extend(value);
            done += 1;
        }
        file.write_all(&octets)?;
        file.sync_data()?;
    }
    let figure = meter.end(done);
    std::fs::remove_file(path)?;
    Ok(figure)
}

fn in_redb(database: &redb::Database, writers: u32, time: Duration) -> Done<Figure> {
    let meter = Meter::start();
    let mut done = 0;
    while meter.elapsed() < time {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for _ in 0..writers {
                let (key, value) = rows::stored(number(done), done)?;
                table.insert(key.as_str(), value.as_slice())?;
                done += 1;
            }
        }
        transaction.commit()?;
    }
    Ok(meter.end(done))
}

fn in_sled(database: &sled::Db, writers: u32, time: Duration) -> Done<Figure> {
    let meter = Meter::start();
    let mut done = 0;
    while meter.elapsed() < time {
        let mut batch = sled::Batch::default();
        for _ in 0..writers {
            let (key, value) = rows::stored(number(done), done)?;
            batch.insert(key.as_bytes(), value);
            done += 1;
        }
        database.apply_batch(batch)?;
        database.flush()?;
    }
    Ok(meter.end(done))
}

fn number(done: u64) -> u32 {
    u32::try_from(done % u64::from(BINDINGS)).unwrap_or_default()
}
