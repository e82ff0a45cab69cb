// snmpload: closed-loop SNMPv1/v2c load generator, one process, one thread, loopback only.
//   snmpload get  TARGET -o OID[,OID..] [-n OUTSTANDING] [-t SECS] [--count N] [-c community] [-v 1|2] [--pdu get|next|bulk] [-r REPS] [--raw]
//   snmpload walk TARGET -o OID[,OID..] [-m next|bulk] [-r REPS] [-n WALKERS] [-c community] [-v 1|2] [--max-rows N] [--max-secs S]
// get --every-us N: one request each N microseconds, so that slow answers do not make samples fewer (with -n 1).
// walk --again: who is at the end begins again, until --max-secs.
// walk --same: -o names one column twice; every pair must be equal, so each PDU is from one moment ("unequal" counts).
// -o A,B,C in walk mode = row-wise walk of several columns in one PDU (like snmptable); row = one varbind set.
// prints one JSON line. Bounded by -t/--count/--max-*.
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

type Oid = Vec<u32>;
fn parse_oid(s: &str) -> Oid {
    s.trim_start_matches('.').split('.').map(|x| x.parse().expect("oid")).collect()
}

// ---------- BER ----------
struct Rev {
    b: Vec<u8>,
    p: usize,
}
impl Rev {
    fn new() -> Self {
        Rev { b: vec![0; 65536], p: 65536 }
    }
    fn reset(&mut self) {
        self.p = self.b.len()
    }
    fn byte(&mut self, x: u8) {
        self.p -= 1;
        self.b[self.p] = x
    }
    fn bytes(&mut self, x: &[u8]) {
        self.p -= x.len();
        let p = self.p;
        self.b[p..p + x.len()].copy_from_slice(x)
    }
    fn tl(&mut self, t: u8, end: usize) {
        let l = end - self.p;
        if l < 128 {
            self.byte(l as u8)
        } else if l < 256 {
            self.byte(l as u8);
            self.byte(0x81)
        } else {
            self.byte(l as u8);
            self.byte((l >> 8) as u8);
            self.byte(0x82)
        }
        self.byte(t)
    }
    fn int(&mut self, v: i64) {
        let e = self.p;
        let mut v = v;
        loop {
            let b = v as u8;
            self.byte(b);
            v >>= 8;
            if (v == 0 && b & 0x80 == 0) || (v == -1 && b & 0x80 != 0) {
                break;
            }
        }
        self.tl(2, e)
    }
    fn oid(&mut self, o: &[u32]) {
        let e = self.p;
        for &x in o[2..].iter().rev() {
            let mut x = x;
            self.byte((x & 0x7f) as u8);
            x >>= 7;
            while x > 0 {
                self.byte((x & 0x7f) as u8 | 0x80);
                x >>= 7
            }
        }
        self.byte((o[0] * 40 + o[1]) as u8);
        self.tl(6, e)
    }
    fn msg(
        &mut self,
        ver: i64,
        comm: &[u8],
        pdu: u8,
        rid: i32,
        f1: i64,
        f2: i64,
        oids: &[Oid],
    ) -> &[u8] {
        self.reset();
        let n = self.b.len();
        for o in oids.iter().rev() {
            let e = self.p;
            self.byte(0);
            self.byte(5);
            self.oid(o);
            self.tl(0x30, e)
        }
        self.tl(0x30, n);
        self.int(f2);
        self.int(f1);
        self.int(rid as i64);
        self.tl(pdu, n);
        let e = self.p;
        self.bytes(comm);
        self.tl(4, e);
        self.int(ver);
        self.tl(0x30, n);
        &self.b[self.p..]
    }
}
fn tlv<'a>(b: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&t, r) = b.split_first()?;
    let (&l, mut r) = r.split_first()?;
    let len = if l < 128 {
        l as usize
    } else {
        let k = (l & 0x7f) as usize;
        if k == 0 || k > 4 || r.len() < k {
            return None;
        }
        let mut x = 0usize;
        for &c in &r[..k] {
            x = x << 8 | c as usize
        }
        r = &r[k..];
        x
    };
    if r.len() < len {
        return None;
    }
    let (v, rest) = r.split_at(len);
    *b = rest;
    Some((t, v))
}
fn ival(v: &[u8]) -> i64 {
    let mut x: i64 = if v.first().map_or(false, |c| c & 0x80 != 0) { -1 } else { 0 };
    for &c in v {
        x = x << 8 | c as i64
    }
    x
}
struct Resp<'a> {
    rid: i32,
    err: i64,
    eidx: i64,
    vbs: &'a [u8],
    pdu: u8,
}
fn resp(mut b: &[u8]) -> Option<Resp<'_>> {
    let (t, mut m) = tlv(&mut b)?;
    if t != 0x30 {
        return None;
    }
    tlv(&mut m)?;
    tlv(&mut m)?;
    let (pdu, mut p) = tlv(&mut m)?;
    let (_, r) = tlv(&mut p)?;
    let (_, e) = tlv(&mut p)?;
    let (_, i) = tlv(&mut p)?;
    let (_, vbs) = tlv(&mut p)?;
    Some(Resp { rid: ival(r) as i32, err: ival(e), eidx: ival(i), vbs, pdu })
}
fn dec_oid(o: &[u8], out: &mut Oid) -> Option<()> {
    out.clear();
    let mut x = 0u32;
    let mut first = true;
    for &c in o {
        if x > u32::MAX >> 7 {
            return None;
        }
        x = x << 7 | (c & 0x7f) as u32;
        if c & 0x80 == 0 {
            if first {
                first = false;
                if x < 40 {
                    out.push(0);
                    out.push(x)
                } else if x < 80 {
                    out.push(1);
                    out.push(x - 40)
                } else {
                    out.push(2);
                    out.push(x - 80)
                }
            } else {
                out.push(x)
            }
            x = 0
        }
    }
    Some(())
}

// ---------- batched UDP ----------
struct Sock {
    s: UdpSocket,
    rx: Vec<Vec<u8>>,
    rl: Vec<usize>,
    tx: Vec<Vec<u8>>,
}
const BATCH: usize = 64;
impl Sock {
    fn new(t: SocketAddr) -> Sock {
        assert!(t.ip().is_loopback(), "loopback only");
        let s = UdpSocket::bind(if t.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).unwrap();
        s.connect(t).unwrap();
        let v: libc::c_int = 8 << 20;
        unsafe {
            for o in [libc::SO_RCVBUFFORCE, libc::SO_SNDBUFFORCE] {
                libc::setsockopt(s.as_raw_fd(), libc::SOL_SOCKET, o, &v as *const _ as *const _, 4);
            }
        }
        Sock { s, rx: vec![vec![0u8; 65536]; BATCH], rl: vec![0; BATCH], tx: vec![] }
    }
    fn push(&mut self, m: &[u8]) {
        self.tx.push(m.to_vec());
        if self.tx.len() == BATCH {
            self.flush()
        }
    }
    fn flush(&mut self) {
        let fd = self.s.as_raw_fd();
        let mut done = 0;
        let n = self.tx.len();
        if n == 0 {
            return;
        }
        let mut iov: Vec<libc::iovec> = self
            .tx
            .iter_mut()
            .map(|m| libc::iovec { iov_base: m.as_mut_ptr() as *mut _, iov_len: m.len() })
            .collect();
        let mut hd: Vec<libc::mmsghdr> = (0..n)
            .map(|i| unsafe {
                let mut h: libc::mmsghdr = std::mem::zeroed();
                h.msg_hdr.msg_iov = &mut iov[i];
                h.msg_hdr.msg_iovlen = 1;
                h
            })
            .collect();
        while done < n {
            let r = unsafe { libc::sendmmsg(fd, hd[done..].as_mut_ptr(), (n - done) as u32, 0) };
            if r < 0 {
                let e = std::io::Error::last_os_error();
                if matches!(
                    e.raw_os_error(),
                    Some(libc::EAGAIN) | Some(libc::EINTR) | Some(libc::ECONNREFUSED)
                ) {
                    std::thread::yield_now();
                    if e.raw_os_error() == Some(libc::ECONNREFUSED) {
                        panic!("connection refused")
                    }
                    continue;
                }
                panic!("sendmmsg {e}")
            }
            done += r as usize;
        }
        self.tx.clear();
    }
    // wait up to ms for at least 1
    fn recv(&mut self, ms: i32) -> usize {
        let fd = self.s.as_raw_fd();
        let mut iov: Vec<libc::iovec> = self
            .rx
            .iter_mut()
            .map(|m| libc::iovec { iov_base: m.as_mut_ptr() as *mut _, iov_len: m.len() })
            .collect();
        let mut hd: Vec<libc::mmsghdr> = (0..BATCH)
            .map(|i| unsafe {
                let mut h: libc::mmsghdr = std::mem::zeroed();
                h.msg_hdr.msg_iov = &mut iov[i];
                h.msg_hdr.msg_iovlen = 1;
                h
            })
            .collect();
        loop {
            let r = unsafe {
                libc::recvmmsg(
                    fd,
                    hd.as_mut_ptr(),
                    BATCH as u32,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            };
            if r > 0 {
                for i in 0..r as usize {
                    self.rl[i] = hd[i].msg_len as usize
                }
                return r as usize;
            }
            let mut p = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            let r = unsafe { libc::poll(&mut p, 1, ms) };
            if r == 0 {
                return 0;
            }
        }
    }
}
struct Opt {
    mode: String,
    target: SocketAddr,
    oids: Vec<Oid>,
    n: usize,
    secs: f64,
    count: u64,
    comm: String,
    ver: i64,
    pdu: u8,
    reps: i64,
    raw: bool,
    bulk: bool,
    same: bool,
    again: bool,
    every: Option<Duration>,
    max_rows: u64,
    tmo: u64,
    nonrep: i64,
}
fn args() -> Opt {
    let a: Vec<String> = std::env::args().collect();
    let mut o = Opt {
        mode: a[1].clone(),
        target: a[2].parse().expect("ip:port"),
        oids: vec![],
        n: 1,
        secs: 5.0,
        count: u64::MAX,
        comm: "public".into(),
        ver: 1,
        pdu: 0xa0,
        reps: 25,
        raw: false,
        bulk: true,
        same: false,
        again: false,
        every: None,
        max_rows: u64::MAX,
        tmo: 2000,
        nonrep: 0,
    };
    let mut i = 3;
    while i < a.len() {
        let v = a.get(i + 1).cloned().unwrap_or_default();
        match a[i].as_str() {
            "-o" => o.oids = v.split(',').map(parse_oid).collect(),
            "-n" => o.n = v.parse().unwrap(),
            "-t" | "--max-secs" => o.secs = v.parse().unwrap(),
            "--count" => o.count = v.parse().unwrap(),
            "-c" => o.comm = v,
            "-v" => o.ver = if v == "1" { 0 } else { 1 },
            "-r" => o.reps = v.parse().unwrap(),
            "--max-rows" => o.max_rows = v.parse().unwrap(),
            "--timeout-ms" => o.tmo = v.parse().unwrap(),
            "--pdu" => {
                o.pdu = match v.as_str() {
                    "get" => 0xa0,
                    "next" => 0xa1,
                    "bulk" => 0xa5,
                    _ => panic!(),
                }
            }
            "-m" => o.bulk = v == "bulk",
            "--every-us" => o.every = Some(Duration::from_micros(v.parse().unwrap())),
            "--again" => {
                o.again = true;
                i += 1;
                continue;
            }
            "--nonrep" => o.nonrep = v.parse().unwrap(),
            "--same" => {
                o.same = true;
                i += 1;
                continue;
            }
            "--raw" => {
                o.raw = true;
                i += 1;
                continue;
            }
            x => panic!("unknown {x}"),
        }
        i += 2;
    }
    o
}
fn pct(v: &mut Vec<u32>, p: f64) -> f64 {
    if v.is_empty() {
        return 0.0;
    }
    v.sort_unstable();
    v[((v.len() - 1) as f64 * p) as usize] as f64 / 1000.0
}
fn get(o: &Opt) {
    let mut s = Sock::new(o.target);
    let mut r = Rev::new();
    let (f1, f2) = if o.pdu == 0xa5 { (o.nonrep, o.reps) } else { (0, 0) };
    let n = o.n;
    let mut sent_at = vec![Instant::now(); n];
    let mut gen = vec![0u32; n];
    let mut live = vec![false; n];
    let mut lat: Vec<u32> = Vec::with_capacity(4 << 20);
    let (mut ok, mut bad, mut lost, mut errs, mut exc) = (0u64, 0u64, 0u64, 0u64, 0u64);
    let (mut bi, mut bo) = (0u64, 0u64);
    let start = Instant::now();
    let stop = start + Duration::from_secs_f64(o.secs);
    let mut issued = 0u64;
    let slots = n.next_power_of_two().max(1);
    let sb = slots.trailing_zeros();
    for i in 0..n {
        let rid = ((gen[i] << sb) | i as u32) & 0x7fff_ffff;
        let m = r.msg(o.ver, o.comm.as_bytes(), o.pdu, rid as i32, f1, f2, &o.oids).to_vec();
        bo += m.len() as u64;
        sent_at[i] = Instant::now();
        live[i] = true;
        s.push(&m);
        issued += 1
    }
    s.flush();
    let mut last_scan = Instant::now();
    loop {
        let k = s.recv(100);
        let now = Instant::now();
        let go = now < stop && issued < o.count;
        for j in 0..k {
            let d = &s.rx[j][..s.rl[j]];
            bi += d.len() as u64;
            let Some(p) = resp(d) else {
                bad += 1;
                continue;
            };
            if !o.raw && p.pdu != 0xa2 {
                bad += 1;
                continue;
            }
            let i = (p.rid as u32 & (slots as u32 - 1)) as usize;
            if i >= n || !live[i] || (p.rid as u32) != ((gen[i] << sb) | i as u32) & 0x7fff_ffff {
                bad += 1;
                continue;
            }
            if p.err != 0 {
                errs += 1;
                let _ = p.eidx;
            }
            if !o.raw {
                let mut v = p.vbs;
                while !v.is_empty() {
                    let Some((_, mut vb)) = tlv(&mut v) else {
                        bad += 1;
                        break;
                    };
                    tlv(&mut vb);
                    if let Some((t, _)) = tlv(&mut vb) {
                        if t & 0xf0 == 0x80 {
                            exc += 1
                        }
                    }
                }
            }
            lat.push((now - sent_at[i]).as_nanos() as u32);
            ok += 1;
            live[i] = false;
            gen[i] = gen[i].wrapping_add(1);
            if go {
                if let Some(every) = o.every {
                    let due = start + every * issued as u32;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                let rid = ((gen[i] << sb) | i as u32) & 0x7fff_ffff;
                let m =
                    r.msg(o.ver, o.comm.as_bytes(), o.pdu, rid as i32, f1, f2, &o.oids).to_vec();
                bo += m.len() as u64;
                sent_at[i] = if o.every.is_some() { Instant::now() } else { now };
                live[i] = true;
                issued += 1;
                s.tx.push(m)
            }
        }
        s.flush();
        if now - last_scan > Duration::from_millis(200) {
            last_scan = now;
            for i in 0..n {
                if live[i] && now - sent_at[i] > Duration::from_millis(o.tmo) {
                    lost += 1;
                    live[i] = false;
                    gen[i] += 1;
                    if go {
                        let rid = ((gen[i] << sb) | i as u32) & 0x7fff_ffff;
                        let m = r
                            .msg(o.ver, o.comm.as_bytes(), o.pdu, rid as i32, f1, f2, &o.oids)
                            .to_vec();
                        sent_at[i] = now;
                        live[i] = true;
                        issued += 1;
                        s.push(&m)
                    }
                }
            }
            s.flush();
        }
        if !go && (!live.iter().any(|x| *x) || now > stop + Duration::from_secs(3)) {
            break;
        }
    }
    let el = start.elapsed().as_secs_f64();
    println!(
        "{{\"mode\":\"get\",\"n\":{},\"secs\":{:.3},\"ok\":{},\"rps\":{:.0},\"lost\":{},\"bad\":{},\"errs\":{},\"exc\":{},\"p50us\":{:.1},\"p99us\":{:.1},\"in\":{},\"out\":{}}}",
        n,
        el,
        ok,
        ok as f64 / el,
        lost,
        bad,
        errs,
        exc,
        pct(&mut lat, 0.5),
        pct(&mut lat, 0.99),
        bi,
        bo
    );
}
fn walk(o: &Opt) {
    let mut s = Sock::new(o.target);
    let mut r = Rev::new();
    let k = o.oids.len();
    let n = o.n;
    let pdu = if o.bulk { 0xa5 } else { 0xa1 };
    let (f1, f2) = if o.bulk { (0, o.reps) } else { (0, 0) };
    struct W {
        cur: Vec<Oid>,
        done: bool,
        rows: u64,
        at: Instant,
        g: u32,
        tries: u32,
    }
    let mut w: Vec<W> = (0..n)
        .map(|_| W {
            cur: o.oids.clone(),
            done: false,
            rows: 0,
            at: Instant::now(),
            g: 1,
            tries: 0,
        })
        .collect();
    let sb = n.next_power_of_two().trailing_zeros();
    let mask = n.next_power_of_two() as u32 - 1;
    let mut lat: Vec<u32> = vec![];
    let (mut vbs, mut reqs, mut retr, mut bad, mut noninc, mut bi) =
        (0u64, 0u64, 0u64, 0u64, 0u64, 0u64);
    let mut status = "complete";
    let start = Instant::now();
    let stop = start + Duration::from_secs_f64(o.secs);
    let mut oid = vec![];
    let (mut unequal, mut before) = (0u64, vec![]);
    for i in 0..n {
        let rid = (w[i].g << sb) | i as u32;
        let m = r.msg(o.ver, o.comm.as_bytes(), pdu, rid as i32, f1, f2, &w[i].cur).to_vec();
        w[i].at = Instant::now();
        reqs += 1;
        s.push(&m)
    }
    s.flush();
    while w.iter().any(|x| !x.done) {
        let c = s.recv(200);
        let now = Instant::now();
        if now > stop {
            status = "time-limit";
            break;
        }
        for j in 0..c {
            let d = s.rx[j][..s.rl[j]].to_vec();
            bi += d.len() as u64;
            let Some(p) = resp(&d) else {
                bad += 1;
                continue;
            };
            let i = (p.rid as u32 & mask) as usize;
            if i >= n || w[i].done || p.rid as u32 != (w[i].g << sb) | i as u32 {
                bad += 1;
                continue;
            }
            lat.push((now - w[i].at).as_nanos().min(u32::MAX as u128) as u32);
            let x = &mut w[i];
            x.tries = 0;
            if p.err != 0 {
                x.done = true;
                if p.err != 2 {
                    status = "error-status"
                }
                continue;
            }
            let mut v = p.vbs;
            let mut idx = 0usize;
            let mut fin = false;
            let mut newcur = x.cur.clone();
            let mut full = 0u64;
            while !v.is_empty() {
                let Some((_, mut vb)) = tlv(&mut v) else {
                    bad += 1;
                    break;
                };
                if o.same {
                    unequal += u64::from(idx % k != 0 && before != vb);
                    before.clear();
                    before.extend_from_slice(vb);
                }
                let Some((_, ob)) = tlv(&mut vb) else { break };
                let t = tlv(&mut vb).map_or(5, |x| x.0);
                dec_oid(ob, &mut oid);
                let col = idx % k;
                if t == 0x82 || !oid.starts_with(&o.oids[col]) {
                    if col == 0 {
                        fin = true;
                        break;
                    }
                } else {
                    if oid <= newcur[col] {
                        noninc += 1;
                        fin = true;
                        status = "not-increasing";
                        break;
                    }
                    newcur[col].clone_from(&oid);
                    vbs += 1;
                    if col == k - 1 {
                        full += 1
                    }
                }
                idx += 1;
            }
            x.rows += full;
            if full == 0 && !fin {
                fin = true;
                status = "empty"
            }
            x.cur = newcur;
            if fin && o.again && status == "complete" {
                x.cur.clone_from(&o.oids);
            } else if fin || x.rows >= o.max_rows {
                x.done = true;
                continue;
            }
            x.g += 1;
            let rid = (x.g << sb) | i as u32;
            let m = r.msg(o.ver, o.comm.as_bytes(), pdu, rid as i32, f1, f2, &x.cur).to_vec();
            x.at = now;
            reqs += 1;
            s.tx.push(m)
        }
        s.flush();
        for i in 0..n {
            if !w[i].done && now - w[i].at > Duration::from_millis(o.tmo) {
                retr += 1;
                w[i].tries += 1;
                if w[i].tries > 5 {
                    w[i].done = true;
                    status = "timeout";
                    continue;
                }
                let rid = (w[i].g << sb) | i as u32;
                let m =
                    r.msg(o.ver, o.comm.as_bytes(), pdu, rid as i32, f1, f2, &w[i].cur).to_vec();
                w[i].at = now;
                s.push(&m)
            }
        }
        s.flush();
    }
    let el = start.elapsed().as_secs_f64();
    let rows: u64 = w.iter().map(|x| x.rows).sum();
    println!(
        "{{\"mode\":\"walk\",\"kind\":\"{}\",\"reps\":{},\"cols\":{},\"walkers\":{},\"status\":\"{}\",\"rows\":{},\"vbs\":{},\"reqs\":{},\"secs\":{:.4},\"rows_s\":{:.0},\"vbs_s\":{:.0},\"rps\":{:.0},\"retrans\":{},\"bad\":{},\"noninc\":{},\"unequal\":{},\"p50us\":{:.1},\"p99us\":{:.1},\"in\":{}}}",
        if o.bulk { "bulk" } else { "next" },
        if o.bulk { o.reps } else { 1 },
        k,
        n,
        status,
        rows,
        vbs,
        reqs,
        el,
        rows as f64 / el,
        vbs as f64 / el,
        reqs as f64 / el,
        retr,
        bad,
        noninc,
        unequal,
        pct(&mut lat, 0.5),
        pct(&mut lat, 0.99),
        bi
    );
}
fn main() {
    let o = args();
    match o.mode.as_str() {
        "get" => get(&o),
        "walk" => walk(&o),
        _ => panic!("get|walk"),
    }
}
