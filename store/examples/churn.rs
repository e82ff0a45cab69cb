//! Fills a served store with bindings and goes on changing them, for whoever looks on.
//!
//! ```text
//! cargo run -p store --example churn -- STORE COUNT BLOCK PER_SECOND [SECONDS]
//! ```
//!
//! Bindings are changed a block at a time: `BLOCK` neighbours by home address get one new generation
//! in one commit, which is their Identification and, above 256, their SPI. So a reader that sees two
//! generations in a block has seen two revisions of the store. Of eight blocks, seven are there all
//! the while, and the eighth comes and goes as a whole.
//!
//! It prints `ready` when all are there, and at the end how many bindings were written, how many
//! milliseconds that took, and how many come and go. The end is after `SECONDS`, or when standard
//! input ends.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use store::wire::{Flags, Identification, Lifetime, Spi};
use store::{
    Batch, Binding, Class, OpenOptions, RevocationSupport, Row as _, Store, StoreUrl, Unknown,
    UtcTime,
};
use tokio::time::Instant;

type Done<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: churn STORE COUNT BLOCK PER_SECOND [SECONDS]";
/// Of so many blocks the last comes and goes.
const GROUP: u32 = 8;
/// How many blocks are written at once at first.
const FILL: u32 = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or(USAGE);
    let url: StoreUrl = next()?.parse()?;
    let mut number = || Done::Ok(next()?.parse::<u32>()?);
    let (count, block, per_second) = (number()?, number()?.max(1), number()?.max(1));
    let is_over = match arguments.next() {
        Some(seconds) => Over::at(Duration::from_secs(seconds.parse()?)),
        None => Over::at_end_of_input(),
    };
    let store = Store::open(&url, OpenOptions::default()).await?;
    let steady = count / block;
    let guests = steady / (GROUP - 1);
    let places: Vec<u32> = (0..steady).map(place).chain((0..guests).map(guest)).collect();
    for places in places.chunks(usize::try_from(FILL)?) {
        let mut batch = Batch::new(Class::Durable);
        for place in places {
            put(&mut batch, place * block, block, 0)?;
        }
        store.commit(batch).await?;
    }
    say("ready")?;
    let every = Duration::from_secs(1) * block / per_second;
    let start = Instant::now();
    let (mut generation, mut written, mut at) = (0_u32, 0_u64, start);
    while !is_over.now() && steady > 0 {
        generation += 1;
        let mut batch = Batch::new(Class::Durable);
        let turn = generation / GROUP;
        match generation % GROUP {
            // Gone in this round, and back in the next.
            0 if guests > 0 && (turn / guests).is_multiple_of(2) => {
                delete(&mut batch, guest(turn % guests) * block, block);
            }
            0 if guests > 0 => put(&mut batch, guest(turn % guests) * block, block, generation)?,
            _ => put(&mut batch, place((generation - turn) % steady) * block, block, generation)?,
        }
        store.commit(batch).await?;
        written += u64::from(block);
        // Whoever is late makes up for it.
        at += every;
        tokio::time::sleep_until(at).await;
    }
    say(&format!("{written} {} {}", start.elapsed().as_millis(), guests * block))?;
    store.close().await;
    Ok(())
}

/// When to end.
enum Over {
    At(Instant),
    Said(Arc<AtomicBool>),
}

impl Over {
    fn at(after: Duration) -> Self {
        Self::At(Instant::now() + after)
    }

    fn at_end_of_input() -> Self {
        let said = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&said);
        std::thread::spawn(move || {
            // An error is an end as well.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            says.store(true, Ordering::Relaxed);
        });
        Self::Said(said)
    }

    fn now(&self) -> bool {
        match self {
            Self::At(end) => Instant::now() >= *end,
            Self::Said(said) => said.load(Ordering::Relaxed),
        }
    }
}

/// Where the steady block of that number is among all.
const fn place(number: u32) -> u32 {
    number + number / (GROUP - 1)
}

/// Where the block of that number is that comes and goes.
const fn guest(number: u32) -> u32 {
    number * GROUP + GROUP - 1
}

fn say(line: &str) -> Done<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Writes the bindings of a block, as of one generation.
fn put(batch: &mut Batch, first: u32, block: u32, generation: u32) -> Done<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = UtcTime(i64::try_from(since)?);
    for number in first..first + block {
        batch.put(binding(number, generation, now));
    }
    Ok(())
}

fn delete(batch: &mut Batch, first: u32, block: u32) {
    for number in first..first + block {
        batch.delete::<Binding>(binding(number, 0, UtcTime(0)).key());
    }
}

fn binding(number: u32, generation: u32, now: UtcTime) -> Binding {
    let care_of_address = Ipv4Addr::from(0xc0a8_0000 + number / 4);
    let home_agent = Ipv4Addr::new(192, 0, 2, 1);
    Binding {
        home_agent,
        home_address: Ipv4Addr::from(0x0a00_0000 + number),
        care_of_address,
        nai: None,
        instance: "churn".into(),
        source: SocketAddrV4::new(care_of_address, 434),
        local: SocketAddrV4::new(home_agent, 434),
        foreign_agent: Some(care_of_address),
        flags: Flags(0),
        spi: Spi(256 + generation),
        identification: Identification(generation.into()),
        lifetime_granted: Lifetime(65_535),
        created_at: now,
        registered_at: now,
        expires_at: None,
        revocation: Some(RevocationSupport {
            peer_inform: true,
            own_inform: true,
            peer_timestamp: 1,
            own_timestamp: 2,
        }),
        revoking: None,
        unknown: Unknown::default(),
    }
}
