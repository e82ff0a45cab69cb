//! How a store does with many bindings: time to fill, to fold, to open; memory
//! and disk for each; commits and reads a second.
//!
//! ```text
//! cargo run --release -p store --example million -- FOLDER [BINDINGS] [open]
//! ```
//!
//! With `open`, only opens what an earlier run left in FOLDER.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Bound;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use store::wire::{Flags, Identification, Lifetime, Nai, Spi};
use store::{Batch, Binding, Class, OpenOptions, Row, Store, StoreUrl, Unknown, UtcTime};

/// That of `mip4d`, since memory is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Done<T> = Result<T, Box<dyn Error>>;

#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn say(what: &str, figure: &str) {
    println!("{what:<44} {figure}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: million FOLDER [BINDINGS] [open]")?;
    let count = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let url = StoreUrl::Sled(Path::new(&folder).join("store"));
    if arguments.next().is_some() {
        return open(&url).await;
    }
    fill(&url, count).await?;
    open_anew(&folder, count)?;
    fold(&url).await?;
    open_anew(&folder, count)
}

/// Without what was committed behind the last checkpoint: what is left are the bindings alone.
async fn fold(url: &StoreUrl) -> Done<()> {
    let store = Store::open(url, OpenOptions::default()).await?;
    let started = Instant::now();
    store.checkpoint().await?;
    say("checkpoint of all of it", &format!("{:.1?}", started.elapsed()));
    store.close().await;
    Ok(())
}

/// In a process that has none of the memory of who filled the store, and whose allocator keeps
/// nothing for later.
fn open_anew(folder: &str, count: u32) -> Done<()> {
    let mut program = Command::new(std::env::current_exe()?);
    program.args([folder, &count.to_string(), "open"]).env("MIMALLOC_PURGE_DELAY", "0");
    let status = program.status()?;
    if status.success() { Ok(()) } else { Err(format!("{program:?}: {status}").into()) }
}

async fn fill(url: &StoreUrl, count: u32) -> Done<()> {
    let store = Store::open(url, OpenOptions::default()).await?;
    let started = Instant::now();
    for chunk in 0..count / 1000 {
        let mut batch = Batch::new(Class::Durable);
        for number in chunk * 1000..(chunk + 1) * 1000 {
            batch.put(binding(number)?);
        }
        store.commit(batch).await?;
    }
    say("filled, 1,000 bindings a commit", &format!("{:.1?}", started.elapsed()));
    let started = Instant::now();
    store.checkpoint().await?;
    say("checkpoint", &format!("{:.1?}", started.elapsed()));
    for writers in [1, 64, 1024] {
        renew(&store, count, writers).await?;
    }
    let disk = store.health().disk.map_or(0, |disk| disk.used_octets);
    say("disk, octets a binding", &(disk / u64::from(count)).to_string());
    store.close().await;
    Ok(())
}

/// Renewals by `writers` at a time, each waiting for its own commit.
async fn renew(store: &Store, count: u32, writers: u32) -> Done<()> {
    let started = Instant::now();
    let mut done = 0_u32;
    let mut round = 0_u32;
    while started.elapsed() < Duration::from_secs(3) {
        let commits: Vec<_> = (0..writers)
            .map(|writer| {
                let number = round.wrapping_mul(7919).wrapping_add(writer.wrapping_mul(104_729));
                let mut batch = Batch::new(Class::Durable);
                batch.put(binding(number % count)?);
                Done::Ok(store.commit(batch))
            })
            .collect::<Done<_>>()?;
        for commit in commits {
            commit.await?;
            done += 1;
        }
        round += 1;
    }
    let rate = f64::from(done) / started.elapsed().as_secs_f64();
    let sync = store.health().sync_latency.unwrap_or_default();
    say(
        &format!("durable commits/s, {writers} writers"),
        &format!("{rate:.0} (last sync {sync:.1?})"),
    );
    Ok(())
}

async fn open(url: &StoreUrl) -> Done<()> {
    let before = resident()?;
    let started = Instant::now();
    let store = Store::open(url, OpenOptions::default()).await?;
    say("open to serving", &format!("{:.2?}", started.elapsed()));
    let snapshot = store.snapshot();
    let rows = snapshot.rows::<Binding>();
    let count = u64::try_from(rows.len())?;
    let each = (resident()? - before) * 1024 / count.max(1);
    say("memory, octets a binding, everything", &each.to_string());
    let started = Instant::now();
    let mut reads = 0_u32;
    for row in rows.iter().step_by(7) {
        let found = rows.get(&row.key()).is_some();
        let index = rows.by_mib_index().get(row.home_address, row.care_of_address).is_some();
        reads += u32::from(found) + u32::from(index);
    }
    say("point reads/s", &format!("{:.0}", f64::from(reads) / started.elapsed().as_secs_f64()));
    let started = Instant::now();
    let mut walked = 0_u32;
    let mut next = rows.by_mib_index().after(Bound::Unbounded);
    while let Some(row) = next.filter(|_| walked < 200_000) {
        walked += 1;
        let pair = (row.home_address, row.care_of_address);
        next = rows.by_mib_index().after(Bound::Excluded(pair));
    }
    let rate = f64::from(walked) / started.elapsed().as_secs_f64();
    say("rows/s in the order of the MIB, one by one", &format!("{rate:.0}"));
    let started = Instant::now();
    store.close().await;
    say("close", &format!("{:.2?}", started.elapsed()));
    Ok(())
}

/// Resident memory of this process, in KiB.
fn resident() -> Done<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure")?.parse()?)
}

fn binding(number: u32) -> Done<Binding> {
    let care_of_address = Ipv4Addr::from(0xc0a8_0000 + number / 4);
    let home_agent = Ipv4Addr::new(192, 0, 2, 1);
    let registered_at = UtcTime(1_700_000_000_000 + i64::from(number));
    Ok(Binding {
        home_agent,
        home_address: Ipv4Addr::from(0x0a00_0000 + number),
        care_of_address,
        nai: Some(Nai::new(&format!("node{number}@example.com"))?),
        instance: "ha1".into(),
        source: SocketAddrV4::new(care_of_address, 434),
        local: SocketAddrV4::new(home_agent, 434),
        foreign_agent: None,
        flags: Flags(0),
        spi: Spi(1000),
        identification: Identification(0xe000_0000_1234_5678 + u64::from(number)),
        lifetime_granted: Lifetime(1800),
        created_at: registered_at,
        registered_at,
        expires_at: Some(registered_at + Duration::from_secs(1800)),
        revocation: None,
        revoking: None,
        unknown: Unknown::default(),
    })
}
