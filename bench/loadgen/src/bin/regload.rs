//! `regload ADDR:PORT NODES OUTSTANDING SECONDS`: registers nodes in a closed loop.
//!
//! Each node has one request under way at a time; OUTSTANDING nodes take turns.
//! Requests carry a Mobile-Home authentication (HMAC-MD5), and the one in each
//! reply is verified. Loopback only; stops by itself. Prints one line of JSON.

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
    let ntp = (now.as_secs() + NTP_EPOCH) << 32 | u64::from(now.subsec_nanos()) << 2;
    *last = ntp.max(*last + 1);
    *last
}

fn home_address(node: usize) -> Ipv4Addr {
    let [_, _, high, low] = (node as u32 + 1).to_be_bytes();
    Ipv4Addr::new(10, 99, high, low)
}

fn request(node: usize, home_agent: Ipv4Addr, id: u64, message: &mut Vec<u8>) {
    message.clear();
    message.extend([1, 0x20, 0x03, 0xe8]);
    message.extend(home_address(node).octets());
    message.extend(home_agent.octets());
    message.extend([127, 0, 0, 1]);
    message.extend(id.to_be_bytes());
    message.extend([32, 20]);
    message.extend(SPI.to_be_bytes());
    let authenticator = mac(message);
    message.extend(authenticator);
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let number = |at: usize| words[at].parse::<usize>().expect("a number");
    let target: SocketAddr = words[1].parse().expect("ADDR:PORT");
    assert!(target.ip().is_loopback(), "loopback only");
    let (nodes, outstanding, seconds) = (number(2), number(3), number(4));
    let SocketAddr::V4(home_agent) = target else { panic!("IPv4 only") };
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(target).expect("connected");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");

    let mut message = Vec::new();
    let mut last = 0;
    let mut sent_at = vec![Instant::now(); nodes];
    let mut next = 0;
    let mut send = |next: &mut usize, sent_at: &mut Vec<Instant>| {
        let node = *next % nodes;
        *next += 1;
        request(node, *home_agent.ip(), identification(&mut last), &mut message);
        sent_at[node] = Instant::now();
        socket.send(&message).expect("sent");
    };
    let started = Instant::now();
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
        if reply[1] == 0 {
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
        accepted as f64 / elapsed,
        at(50),
        at(99),
    );
}
