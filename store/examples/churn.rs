//! Fills a served store with bindings and goes on changing them, for whoever looks on.
//!
//! ```text
//! cargo run -p store --example churn -- STORE COUNT BLOCK PER_SECOND SECONDS
//! ```
//!
//! Bindings are changed a block at a time: `BLOCK` neighbours by home address get one new
//! Identification in one commit. So a reader that sees two of them in a block has seen two
//! revisions of the store.

use std::error::Error;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use store::wire::{Flags, Identification, Lifetime, Spi};
use store::{Batch, Binding, Class, OpenOptions, Store, StoreUrl, Unknown, UtcTime};
use tokio::time::Instant;

type Done<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: churn STORE COUNT BLOCK PER_SECOND SECONDS";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or(USAGE);
    let url: StoreUrl = next()?.parse()?;
    let mut number = || Done::Ok(next()?.parse::<u32>()?);
    let (count, block, per_second, seconds) = (number()?, number()?, number()?, number()?);
    let store = Store::open(&url, OpenOptions::default()).await?;
    let blocks = count / block.max(1);
    for first in 0..blocks {
        store.commit(change(first * block, block, 0)?).await?;
    }
    say("ready")?;
    let every = Duration::from_secs(1) * block / per_second.max(1);
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let (mut generation, mut changed) = (0_u64, 0_u64);
    let mut at = Instant::now();
    while Instant::now() < end && blocks > 0 {
        let place = u32::try_from(generation % u64::from(blocks))?;
        generation += 1;
        store.commit(change(place * block, block, generation)?).await?;
        changed += u64::from(block);
        // Whoever is late makes up for it.
        at += every;
        tokio::time::sleep_until(at).await;
    }
    say(&format!("{changed}"))?;
    store.close().await;
    Ok(())
}

fn say(line: &str) -> Done<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// The bindings of a block, as of one generation.
fn change(first: u32, block: u32, generation: u64) -> Done<Batch> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = UtcTime(i64::try_from(since)?);
    let mut batch = Batch::new(Class::Durable);
    for number in first..first + block {
        let care_of_address = Ipv4Addr::from(0xc0a8_0000 + number / 4);
        let home_agent = Ipv4Addr::new(192, 0, 2, 1);
        batch.put(Binding {
            home_agent,
            home_address: Ipv4Addr::from(0x0a00_0000 + number),
            care_of_address,
            nai: None,
            instance: "churn".into(),
            source: SocketAddrV4::new(care_of_address, 434),
            local: SocketAddrV4::new(home_agent, 434),
            foreign_agent: Some(care_of_address),
            flags: Flags(0),
            spi: Spi(1000),
            identification: Identification(generation),
            lifetime_granted: Lifetime(65_535),
            created_at: now,
            registered_at: now,
            expires_at: None,
            revocation: None,
            revoking: None,
            unknown: Unknown::default(),
        });
    }
    Ok(batch)
}
