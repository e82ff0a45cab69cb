//! Fills a store with bindings of one home agent, for whoever measures what serves it.
//!
//! ```text
//! cargo run --release -p store --example bindings -- STORE COUNT INSTANCE HOME_AGENT [through=ADDR:PORT] [EXPIRES_IN [EXPIRING]]
//! ```
//!
//! A binding has the rows of its node beside it, as if it had been registered once. Half of the
//! nodes have an NAI. No binding ends but the last `EXPIRING` ones, by default all, that all end in
//! the same millisecond, `EXPIRES_IN` seconds after the first of them is written. With `through`,
//! all of them came from one foreign agent, with which revocation was negotiated.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use store::wire::{Flags, Identification, Lifetime, Nai, Spi};
use store::{
    Batch, Binding, Class, Identity, Node, NodeCounters, OpenOptions, RevocationSupport, Store,
    StoreUrl, Unknown, UtcTime,
};

type Done<T> = Result<T, Box<dyn Error>>;

const USAGE: &str =
    "usage: bindings STORE COUNT INSTANCE HOME_AGENT [through=ADDR:PORT] [EXPIRES_IN [EXPIRING]]";

/// How many bindings one commit has.
const AT_ONCE: u32 = 1000;

struct Filler {
    instance: String,
    home_agent: Ipv4Addr,
    /// The foreign agent that all came through.
    through: Option<SocketAddrV4>,
    now: UtcTime,
    expires_in: Option<Duration>,
    expires_at: Option<UtcTime>,
    /// The first binding that ends.
    first_expiring: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done<()> {
    let (options, arguments): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|word| word.starts_with("through="));
    let through = options.iter().find_map(|word| word.strip_prefix("through="));
    let through = through.map(str::parse).transpose()?;
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next().ok_or(USAGE);
    let url = StoreUrl::Sled(next()?.into());
    let count: u32 = next()?.parse()?;
    let (instance, home_agent) = (next()?, next()?.parse()?);
    let expires_in = next().ok().map(|seconds| seconds.parse().map(Duration::from_secs));
    let expires_in = expires_in.transpose()?;
    let expiring = next().ok().map_or(Ok(count), |expiring| expiring.parse())?;
    let first_expiring = count.saturating_sub(expiring);
    let now = now()?;
    let expires_at = None;
    let mut filler =
        Filler { instance, home_agent, through, now, expires_in, expires_at, first_expiring };
    let store = Store::open(&url, OpenOptions::default()).await?;
    let mut number = 0;
    while number < count {
        let end = count.min(number + AT_ONCE);
        let mut batch = Batch::new(Class::Durable);
        for number in number..end {
            if number == filler.first_expiring {
                filler.now = self::now()?;
                filler.expires_at = filler.expires_in.map(|after| filler.now + after);
            }
            let binding = filler.binding(number)?;
            let node = filler.node(&binding);
            batch.put(filler.counters(&node));
            batch.put(node);
            batch.put(binding);
        }
        store.commit(batch).await?;
        number = end;
    }
    store.checkpoint().await?;
    store.close().await;
    Ok(())
}

fn now() -> Done<UtcTime> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    Ok(UtcTime(i64::try_from(since)?))
}

impl Filler {
    fn binding(&self, number: u32) -> Done<Binding> {
        let source = self
            .through
            .unwrap_or_else(|| SocketAddrV4::new(Ipv4Addr::from(0xc0a8_0000 + number / 4), 434));
        let care_of_address = *source.ip();
        let nai = match number % 2 {
            0 => Some(Nai::new(&format!("node{number}@example.com"))?),
            _ => None,
        };
        Ok(Binding {
            home_agent: self.home_agent,
            home_address: Ipv4Addr::from(0x0a00_0000 + number),
            care_of_address,
            nai,
            instance: self.instance.as_str().into(),
            source,
            local: SocketAddrV4::new(self.home_agent, 434),
            foreign_agent: Some(care_of_address),
            flags: Flags(0),
            spi: Spi(1000),
            identification: Identification(0xe000_0000_1234_5678 + u64::from(number)),
            lifetime_granted: Lifetime(65_535),
            created_at: self.now,
            registered_at: self.now,
            expires_at: self.expires_at,
            revocation: self.through.map(|_| self.revocation()),
            revoking: None,
            unknown: Unknown::default(),
        })
    }

    /// What both sides said, some time ago: seconds since 1900, as revocations count them.
    fn revocation(&self) -> RevocationSupport {
        let seconds = (self.now.0 / 1000 + 2_208_988_800 - 60) & 0xffff_ffff;
        let timestamp = u32::try_from(seconds).unwrap_or(0);
        RevocationSupport {
            peer_inform: false,
            own_inform: false,
            peer_timestamp: timestamp,
            own_timestamp: timestamp,
        }
    }

    fn counters(&self, node: &Node) -> NodeCounters {
        NodeCounters {
            home_agent: self.home_agent,
            identity: node.identity.clone(),
            accepted: 1,
            denied: 0,
            served_milliseconds: 0,
            serving_since: Some(self.now),
            counted_since: self.now,
            last_accepted_at: Some(self.now),
            last_denied_at: None,
            last_denied_code: None,
            discontinuity_at: self.now,
            unknown: Unknown::default(),
        }
    }

    fn node(&self, binding: &Binding) -> Node {
        Node {
            home_agent: self.home_agent,
            identity: match &binding.nai {
                Some(nai) => Identity::Nai(nai.clone()),
                None => Identity::Address(binding.home_address),
            },
            home_address: binding.home_address,
            last_identification: binding.identification,
            nonce: None,
            last_spi: binding.spi,
            last_accepted_at: self.now,
            last_revocation: None,
            unknown: Unknown::default(),
        }
    }
}
