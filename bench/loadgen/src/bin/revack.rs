//! Acknowledges revocations as a foreign agent would (RFC 3543 §3.4):
//!
//! ```text
//! revack ADDR:PORT COUNT SECONDS
//! ```
//!
//! Verifies the Foreign-Home authentication (HMAC-MD5) of each, answers it with one of its own, and
//! stops when COUNT home addresses were acknowledged or after SECONDS. Loopback only. Prints one line of
//! JSON: how many, how many messages it took, and how many a second from the first to the last.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac as _};
use md5::Md5;

const KEY: [u8; 16] = [0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255];
const SPI: u32 = 2000;
const FOREIGN_HOME: u8 = 34;
/// Fixed part, type, length, SPI, authenticator.
const LEN: usize = 20 + 2 + 4 + 16;

fn mac(octets: &[u8]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(&KEY).expect("any length is a key");
    mac.update(octets);
    mac.finalize().into_bytes().into()
}

/// As much as the system allows: a home agent sends hundreds at once.
fn enlarge(socket: &UdpSocket) {
    let octets: libc::c_int = 8 << 20;
    for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
        // SAFETY: the value is an int that outlives the call, and its size is said.
        let done = unsafe {
            let value = std::ptr::from_ref(&octets).cast();
            let size = size_of::<libc::c_int>() as libc::socklen_t;
            libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value, size)
        };
        if done == 0 {
            return;
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let address: SocketAddr = words[1].parse().expect("ADDR:PORT");
    assert!(address.ip().is_loopback(), "loopback only");
    let count: usize = words[2].parse().expect("a number");
    let seconds: u64 = words[3].parse().expect("a number");
    let socket = UdpSocket::bind(address).expect("a socket");
    enlarge(&socket);
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    eprintln!("ready");
    let started = Instant::now();
    let (mut first, mut last) = (None, started);
    let mut homes = HashSet::with_capacity(count);
    let mut messages = 0_u64;
    let mut octets = [0; 2048];
    let mut answer = Vec::with_capacity(64);
    while homes.len() < count && started.elapsed() < Duration::from_secs(seconds) {
        let Ok((length, source)) = socket.recv_from(&mut octets) else { continue };
        if length < LEN || octets[0] != 7 {
            continue;
        }
        let (covered, authenticator) = octets[..length].split_at(length - 16);
        assert_eq!(covered[20], FOREIGN_HOME, "a Foreign-Home authentication");
        assert_eq!(mac(covered), authenticator, "the revocation is not authentic");
        answer.clear();
        answer.extend([15, 0, 0, 0]);
        answer.extend(&octets[4..8]);
        answer.extend(&octets[16..20]);
        answer.extend([FOREIGN_HOME, 20]);
        answer.extend(SPI.to_be_bytes());
        let authenticator = mac(&answer);
        answer.extend(authenticator);
        socket.send_to(&answer, source).expect("sent");
        messages += 1;
        homes.insert([octets[4], octets[5], octets[6], octets[7]]);
        last = Instant::now();
        first.get_or_insert(last);
    }
    let elapsed = first.map_or(0.0, |first| last.duration_since(first).as_secs_f64());
    println!(
        "{{\"acknowledged\":{},\"messages\":{messages},\"per_second\":{:.0}}}",
        homes.len(),
        homes.len() as f64 / elapsed.max(0.001),
    );
}
