//! Registers nodes in a closed loop:
//!
//! ```text
//! regload ADDR:PORT NODES OUTSTANDING SECONDS [deny|echo] [rate=N] [home-agent=A]
//! ```
//!
//! Each node has one request under way at a time; OUTSTANDING nodes take turns.
//! Requests carry a Mobile-Home authentication (HMAC-MD5), and the one in each
//! reply is verified. With `deny` it is wrong in each request, and every reply must be
//! a denial; with `echo` ADDR sends back what it gets, which is as authentic and says as well
//! whose it is, and counts as accepted; `rate` holds back to N a second; with `home-agent`, ADDR is a foreign agent
//! and offers itself as care-of address. Loopback only; stops by itself. Prints one line
//! of JSON.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac as _};
use md5::Md5;

const KEY: [u8; 16] = [0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255];
const SPI: u32 = 1000;
const NTP_EPOCH: u64 = 2_208_988_800;

fn mac(octets: &[u8]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(&KEY).expect("any length is a key");
    mac.update(octets);
    mac.finalize().into_bytes().into()
}

/// Never the same twice, and never back: §5.7.1 wants each greater than the last.
fn identification(last: &mut u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    let ntp = (now.as_secs() + NTP_EPOCH) << 32 | fraction;
    *last = ntp.max(*last + 1);
    *last
}

fn home_address(node: usize) -> Ipv4Addr {
    let [_, _, high, low] = (node as u32 + 1).to_be_bytes();
    Ipv4Addr::new(10, 99, high, low)
}

/// What all requests have in common.
struct Requests {
    /// The `D` bit, for nodes without a foreign agent.
    flags: u8,
    home_agent: Ipv4Addr,
    care_of_address: Ipv4Addr,
    deny: bool,
}

impl Requests {
    fn write(&self, node: usize, id: u64, message: &mut Vec<u8>) {
        message.clear();
        message.extend([1, self.flags, 0x03, 0xe8]);
        message.extend(home_address(node).octets());
        message.extend(self.home_agent.octets());
        message.extend(self.care_of_address.octets());
        message.extend(id.to_be_bytes());
        message.extend([32, 20]);
        message.extend(SPI.to_be_bytes());
        let mut authenticator = mac(message);
        authenticator[0] ^= u8::from(self.deny);
        message.extend(authenticator);
    }
}

/// Sleeps until the next request of so many a second is due.
fn pace(started: Instant, sent: u64, rate: Option<f64>) {
    let Some(rate) = rate else { return };
    let due = started + Duration::from_secs_f64(sent as f64 / rate);
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let number = |at: usize| words[at].parse::<usize>().expect("a number");
    let target: SocketAddr = words[1].parse().expect("ADDR:PORT");
    assert!(target.ip().is_loopback(), "loopback only");
    let (nodes, outstanding, seconds) = (number(2), number(3), number(4));
    let SocketAddr::V4(agent) = target else { panic!("IPv4 only") };
    let option = |name: &str| words[5..].iter().find_map(|word| word.strip_prefix(name));
    let rate = option("rate=").map(|rate| rate.parse::<f64>().expect("a number"));
    let behind = option("home-agent=").map(|address| address.parse().expect("an address"));
    let requests = Requests {
        flags: if behind.is_some() { 0 } else { 0x20 },
        home_agent: behind.unwrap_or(*agent.ip()),
        care_of_address: if behind.is_some() { *agent.ip() } else { Ipv4Addr::LOCALHOST },
        deny: words[5..].iter().any(|word| word == "deny"),
    };
    let is_echo = words[5..].iter().any(|word| word == "echo");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(target).expect("connected");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");

    let mut message = Vec::new();
    let mut last = 0;
    let mut sent_at = vec![Instant::now(); nodes];
    let mut next = 0;
    let started = Instant::now();
    let mut send = |next: &mut usize, sent_at: &mut Vec<Instant>| {
        let node = *next % nodes;
        pace(started, *next as u64, rate);
        *next += 1;
        requests.write(node, identification(&mut last), &mut message);
        sent_at[node] = Instant::now();
        socket.send(&message).expect("sent");
    };
    for _ in 0..outstanding {
        send(&mut next, &mut sent_at);
    }
    let (mut accepted, mut denied, mut silent) = (0_u64, 0_u64, 0_u64);
    let mut latencies = Vec::new();
    let mut reply = [0; 2048];
    while started.elapsed() < Duration::from_secs(seconds as u64) {
        let Ok(length) = socket.recv(&mut reply) else {
            silent += 1;
            send(&mut next, &mut sent_at);
            continue;
        };
        let (covered, authenticator) = reply[..length].split_at(length - 16);
        assert_eq!(mac(covered), authenticator, "the reply is not authentic");
        let node = u32::from_be_bytes([0, 0, reply[6], reply[7]]) as usize - 1;
        latencies.push(sent_at[node].elapsed());
        let is_denied = reply[1] > 1 && !is_echo;
        assert_eq!(is_denied, requests.deny, "code {}", reply[1]);
        if !is_denied {
            accepted += 1
        } else {
            denied += 1
        }
        send(&mut next, &mut sent_at);
    }
    let elapsed = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at =
        |part: usize| latencies.get(latencies.len() * part / 100).map_or(0, Duration::as_micros);
    println!(
        "{{\"accepted\":{accepted},\"denied\":{denied},\"silent\":{silent},\"per_second\":{:.0},\"p50_us\":{},\"p99_us\":{}}}",
        (accepted + denied) as f64 / elapsed,
        at(50),
        at(99),
    );
}
