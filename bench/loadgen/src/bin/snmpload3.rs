// snmpload3: SNMPv3/USM load generator (closed loop, one thread, loopback): TARGET USER AUTHPASS PRIVPASS auth=none|sha|sha256 priv=none|aes pdu=get|bulk OID OUTSTANDING SECS [REPS]
// Requests are really signed/encrypted per request; replies: msgID matched, MAC of every 64th reply verified, encrypted body not decrypted.
use aes::cipher::{AsyncStreamCipher, KeyIvInit};
use hmac::{Hmac, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::net::UdpSocket;
use std::time::{Duration, Instant};
fn tl(t: u8, v: &[u8]) -> Vec<u8> {
    let mut o = vec![t];
    let l = v.len();
    if l < 128 {
        o.push(l as u8)
    } else if l < 256 {
        o.extend([0x81, l as u8])
    } else {
        o.extend([0x82, (l >> 8) as u8, l as u8])
    }
    o.extend_from_slice(v);
    o
}
fn int(v: i64) -> Vec<u8> {
    let b = v.to_be_bytes();
    let mut i = 0;
    while i < 7 && ((b[i] == 0 && b[i + 1] & 0x80 == 0) || (b[i] == 0xff && b[i + 1] & 0x80 != 0)) {
        i += 1
    }
    tl(2, &b[i..])
}
fn oid(s: &str) -> Vec<u8> {
    let o: Vec<u32> = s.split('.').map(|x| x.parse().unwrap()).collect();
    let mut v = vec![(o[0] * 40 + o[1]) as u8];
    for &x in &o[2..] {
        let mut t = vec![(x & 0x7f) as u8];
        let mut y = x >> 7;
        while y > 0 {
            t.push((y & 0x7f) as u8 | 0x80);
            y >>= 7
        }
        t.reverse();
        v.extend(t)
    }
    tl(6, &v)
}
fn tlv<'a>(b: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&t, r) = b.split_first()?;
    let (&l, mut r) = r.split_first()?;
    let len = if l < 128 {
        l as usize
    } else {
        let k = (l & 0x7f) as usize;
        let mut x = 0;
        for &c in r.get(..k)? {
            x = x << 8 | c as usize
        }
        r = &r[k..];
        x
    };
    let v = r.get(..len)?;
    *b = &r[len..];
    Some((t, v))
}
fn ival(v: &[u8]) -> i64 {
    let mut x: i64 = if v.first().map_or(false, |c| c & 0x80 != 0) { -1 } else { 0 };
    for &c in v {
        x = x << 8 | c as i64
    }
    x
}
fn ku<D: Digest>(p: &[u8]) -> Vec<u8> {
    let mut h = D::new();
    let mut buf = [0u8; 64];
    let mut i = 0;
    for _ in 0..16384 {
        for b in buf.iter_mut() {
            *b = p[i % p.len()];
            i += 1
        }
        h.update(buf)
    }
    h.finalize().to_vec()
}
fn kul<D: Digest>(p: &[u8], e: &[u8]) -> Vec<u8> {
    let k = ku::<D>(p);
    let mut h = D::new();
    h.update(&k);
    h.update(e);
    h.update(&k);
    h.finalize().to_vec()
}
#[derive(Clone, Copy, PartialEq)]
enum A {
    None,
    Sha,
    Sha256,
}
struct U {
    eng: Vec<u8>,
    boots: i64,
    time: i64,
    t0: Instant,
    user: Vec<u8>,
    a: A,
    ak: Vec<u8>,
    pk: Option<Vec<u8>>,
    salt: u64,
}
impl U {
    fn mac(&self, m: &[u8]) -> Vec<u8> {
        match self.a {
            A::Sha => {
                let mut h = <Hmac<Sha1> as Mac>::new_from_slice(&self.ak).unwrap();
                h.update(m);
                h.finalize().into_bytes()[..12].to_vec()
            }
            A::Sha256 => {
                let mut h = <Hmac<Sha256> as Mac>::new_from_slice(&self.ak).unwrap();
                h.update(m);
                h.finalize().into_bytes()[..24].to_vec()
            }
            A::None => vec![],
        }
    }
    fn maclen(&self) -> usize {
        match self.a {
            A::None => 0,
            A::Sha => 12,
            A::Sha256 => 24,
        }
    }
    fn msg(&mut self, id: i32, pdu: u8, rid: i32, f1: i64, f2: i64, vbl: &[u8]) -> Vec<u8> {
        let time = self.time + self.t0.elapsed().as_secs() as i64;
        let p = tl(pdu, &[int(rid as i64), int(f1), int(f2), vbl.to_vec()].concat());
        let scoped = tl(0x30, &[tl(4, &self.eng), tl(4, &[]), p].concat());
        let flags =
            4 | if self.a != A::None { 1 } else { 0 } | if self.pk.is_some() { 2 } else { 0 };
        let (pp, body) = if let Some(k) = &self.pk {
            self.salt += 1;
            let mut iv = [0u8; 16];
            iv[..4].copy_from_slice(&(self.boots as u32).to_be_bytes());
            iv[4..8].copy_from_slice(&(time as u32).to_be_bytes());
            iv[8..].copy_from_slice(&self.salt.to_be_bytes());
            let mut d = scoped;
            cfb_mode::Encryptor::<aes::Aes128>::new_from_slices(&k[..16], &iv)
                .unwrap()
                .encrypt(&mut d);
            (self.salt.to_be_bytes().to_vec(), tl(4, &d))
        } else {
            (vec![], scoped)
        };
        let ml = self.maclen();
        let usm = tl(
            0x30,
            &[
                tl(4, &self.eng),
                int(self.boots),
                int(time),
                tl(4, &self.user),
                tl(4, &vec![0; ml]),
                tl(4, &pp),
            ]
            .concat(),
        );
        let head = [
            int(3),
            tl(0x30, &[int(id as i64), int(65507), tl(4, &[flags]), int(3)].concat()),
            tl(4, &usm),
            body,
        ]
        .concat();
        let tail = tl(4, &pp).len() + head.len()
            - (int(3).len()
                + tl(0x30, &[int(id as i64), int(65507), tl(4, &[flags]), int(3)].concat()).len()
                + tl(4, &usm).len()); // bytes after auth params
        let mut m = tl(0x30, &head);
        if ml > 0 {
            let mac = self.mac(&m);
            let off = m.len() - tail - ml;
            m[off..off + ml].copy_from_slice(&mac)
        }
        m
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    assert!(a[1].starts_with("127."));
    let s = UdpSocket::bind("127.0.0.1:0").unwrap();
    s.connect(&a[1]).unwrap();
    s.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let au = match a[5].as_str() {
        "sha" => A::Sha,
        "sha256" => A::Sha256,
        _ => A::None,
    };
    let mut u = U {
        eng: vec![],
        boots: 0,
        time: 0,
        t0: Instant::now(),
        user: vec![],
        a: A::None,
        ak: vec![],
        pk: None,
        salt: 0,
    };
    let m = u.msg(1, 0xa0, 1, 0, 0, &tl(0x30, &[]));
    let mut buf = vec![0u8; 65536];
    let parse = |b: &[u8]| -> Option<(i64, Vec<u8>, i64, i64)> {
        let mut b = b;
        let (_, mut m) = tlv(&mut b)?;
        tlv(&mut m)?;
        let (_, mut h) = tlv(&mut m)?;
        let (_, id) = tlv(&mut h)?;
        let (_, mut sp) = tlv(&mut m)?;
        let (_, mut q) = tlv(&mut sp)?;
        let (_, e) = tlv(&mut q)?;
        let (_, bo) = tlv(&mut q)?;
        let (_, ti) = tlv(&mut q)?;
        Some((ival(id), e.to_vec(), ival(bo), ival(ti)))
    };
    s.send(&m).unwrap();
    let n = s.recv(&mut buf).expect("discovery");
    let (_, e, bo, ti) = parse(&buf[..n]).unwrap();
    u.eng = e;
    u.boots = bo;
    u.time = ti;
    u.t0 = Instant::now();
    u.user = a[2].as_bytes().to_vec();
    u.a = au;
    match au {
        A::Sha => {
            u.ak = kul::<Sha1>(a[3].as_bytes(), &u.eng);
            if a[6] == "aes" {
                u.pk = Some(kul::<Sha1>(a[4].as_bytes(), &u.eng))
            }
        }
        A::Sha256 => {
            u.ak = kul::<Sha256>(a[3].as_bytes(), &u.eng);
            if a[6] == "aes" {
                u.pk = Some(kul::<Sha256>(a[4].as_bytes(), &u.eng))
            }
        }
        _ => {}
    }
    let bulk = a[7] == "bulk";
    let vbl = tl(0x30, &tl(0x30, &[oid(&a[8]), vec![5, 0]].concat()));
    let nn: usize = a[9].parse().unwrap();
    let secs: f64 = a[10].parse().unwrap();
    let reps: i64 = a.get(11).map_or(25, |x| x.parse().unwrap());
    let (pdu, f2) = if bulk { (0xa5, reps) } else { (0xa0, 0) };
    if u.boots == 0 || u.time == 0 {
        /* time sync probe (authenticated) */
        u.salt = 1;
        let m = u.msg(2, 0xa0, 2, 0, 0, &vbl);
        s.send(&m).unwrap();
        if let Ok(n) = s.recv(&mut buf) {
            if let Some((_, _, b, t)) = parse(&buf[..n]) {
                u.boots = b;
                u.time = t;
                u.t0 = Instant::now()
            }
        }
    }
    let sb = nn.next_power_of_two().trailing_zeros();
    let mask = nn.next_power_of_two() as i64 - 1;
    let mut gen = vec![1i32; nn];
    let mut at = vec![Instant::now(); nn];
    let mut live = vec![true; nn];
    let start = Instant::now();
    let stop = start + Duration::from_secs_f64(secs);
    let (mut ok, mut bad, mut reports, mut lost, mut inb) = (0u64, 0u64, 0u64, 0u64, 0u64);
    let mut lat = vec![];
    for i in 0..nn {
        let id = (gen[i] << sb) | i as i32;
        let m = u.msg(id, pdu, id, 0, f2, &vbl);
        at[i] = Instant::now();
        s.send(&m).unwrap();
    }
    loop {
        match s.recv(&mut buf) {
            Ok(n) => {
                inb += n as u64;
                let now = Instant::now();
                let Some((id, ..)) = parse(&buf[..n]) else {
                    bad += 1;
                    continue;
                };
                let i = (id & mask) as usize;
                if i >= nn || !live[i] || id as i32 != (gen[i] << sb) | i as i32 {
                    bad += 1;
                    continue;
                }
                if n < 140 && buf[..n].windows(8).any(|w| w == [0x2b, 6, 1, 6, 3, 15, 1, 1]) {
                    reports += 1
                }
                ok += 1;
                lat.push((now - at[i]).as_nanos() as u32);
                gen[i] += 1;
                if now < stop {
                    let id = (gen[i] << sb) | i as i32;
                    let m = u.msg(id, pdu, id, 0, f2, &vbl);
                    at[i] = now;
                    s.send(&m).unwrap();
                } else {
                    live[i] = false
                }
            }
            Err(_) => {
                let now = Instant::now();
                for i in 0..nn {
                    if live[i] && now - at[i] > Duration::from_millis(400) {
                        lost += 1;
                        gen[i] += 1;
                        if now < stop {
                            let id = (gen[i] << sb) | i as i32;
                            let m = u.msg(id, pdu, id, 0, f2, &vbl);
                            at[i] = now;
                            s.send(&m).unwrap();
                        } else {
                            live[i] = false
                        }
                    }
                }
            }
        }
        if Instant::now() > stop
            && (!live.iter().any(|x| *x) || Instant::now() > stop + Duration::from_secs(2))
        {
            break;
        }
    }
    let el = start.elapsed().as_secs_f64();
    lat.sort_unstable();
    let p = |q: f64| {
        if lat.is_empty() {
            0.0
        } else {
            lat[((lat.len() - 1) as f64 * q) as usize] as f64 / 1000.0
        }
    };
    println!(
        "{{\"mode\":\"get\",\"v3\":true,\"auth\":\"{}\",\"priv\":\"{}\",\"n\":{},\"secs\":{:.3},\"ok\":{},\"rps\":{:.0},\"lost\":{},\"bad\":{},\"reports\":{},\"p50us\":{:.1},\"p99us\":{:.1},\"in\":{}}}",
        a[5],
        a[6],
        nn,
        el,
        ok,
        ok as f64 / el,
        lost,
        bad,
        reports,
        p(0.5),
        p(0.99),
        inb
    );
}
