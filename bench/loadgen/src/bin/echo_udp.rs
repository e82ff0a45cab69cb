// echo_udp ADDR mode secs    mode = tokio1 | tokio2 | plain | mmsg | mmsg2 (2 SO_REUSEPORT threads)
// Echoes datagrams: physical limit for a UDP request/response server on this machine.
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd};
fn reuse(a: SocketAddr) -> UdpSocket {
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
        let v: libc::c_int = 1;
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, &v as *const _ as *const _, 4);
        let b: libc::c_int = 8 << 20;
        for o in [libc::SO_RCVBUFFORCE, libc::SO_SNDBUFFORCE] {
            libc::setsockopt(fd, libc::SOL_SOCKET, o, &b as *const _ as *const _, 4);
        }
        let SocketAddr::V4(a4) = a else { panic!() };
        let sa = libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: a4.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(a4.ip().octets()) },
            sin_zero: [0; 8],
        };
        assert_eq!(libc::bind(fd, &sa as *const _ as *const _, 16), 0);
        UdpSocket::from_raw_fd(fd)
    }
}
fn mmsg(s: UdpSocket) {
    const B: usize = 64;
    let fd = s.as_raw_fd();
    let mut buf = vec![vec![0u8; 2048]; B];
    let mut sa: Vec<libc::sockaddr_in> = vec![unsafe { std::mem::zeroed() }; B];
    let mut iov: Vec<libc::iovec> = buf
        .iter_mut()
        .map(|m| libc::iovec { iov_base: m.as_mut_ptr() as *mut _, iov_len: m.len() })
        .collect();
    let mut hd: Vec<libc::mmsghdr> = (0..B)
        .map(|i| unsafe {
            let mut h: libc::mmsghdr = std::mem::zeroed();
            h.msg_hdr.msg_iov = &mut iov[i];
            h.msg_hdr.msg_iovlen = 1;
            h.msg_hdr.msg_name = &mut sa[i] as *mut _ as *mut _;
            h.msg_hdr.msg_namelen = 16;
            h
        })
        .collect();
    loop {
        unsafe {
            for i in 0..B {
                iov[i].iov_len = 2048;
                hd[i].msg_hdr.msg_namelen = 16
            }
            let r = libc::recvmmsg(
                fd,
                hd.as_mut_ptr(),
                B as u32,
                libc::MSG_WAITFORONE,
                std::ptr::null_mut(),
            );
            if r <= 0 {
                continue;
            }
            for i in 0..r as usize {
                iov[i].iov_len = hd[i].msg_len as usize
            }
            let mut d = 0;
            while d < r {
                let k = libc::sendmmsg(fd, hd.as_mut_ptr().add(d as usize), (r - d) as u32, 0);
                if k <= 0 {
                    break;
                }
                d += k
            }
        }
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let addr: SocketAddr = a[1].parse().unwrap();
    assert!(addr.ip().is_loopback());
    let secs: u64 = a[3].parse().unwrap();
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(secs));
        std::process::exit(0)
    });
    match a[2].as_str() {
        "plain" => {
            let s = reuse(addr);
            let mut b = [0u8; 65536];
            loop {
                if let Ok((n, p)) = s.recv_from(&mut b) {
                    let _ = s.send_to(&b[..n], p);
                }
            }
        }
        "mmsg" => mmsg(reuse(addr)),
        "mmsg2" => {
            let s2 = reuse(addr);
            std::thread::spawn(move || mmsg(s2));
            mmsg(reuse(addr))
        }
        m @ ("tokio1" | "tokio2") => {
            let rt = if m == "tokio1" {
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
            } else {
                tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()
                    .unwrap()
            };
            rt.block_on(async {
                let std = reuse(addr);
                std.set_nonblocking(true).unwrap();
                let s = tokio::net::UdpSocket::from_std(std).unwrap();
                let mut b = vec![0u8; 65536];
                loop {
                    if let Ok((n, p)) = s.recv_from(&mut b).await {
                        if s.try_send_to(&b[..n], p).is_err() {
                            let _ = s.send_to(&b[..n], p).await;
                        }
                    }
                }
            })
        }
        _ => panic!(),
    }
}
