//! The SNMP engine behind a plain UDP socket, with made-up objects: for tests
//! with real managers.
//!
//! `serve ROWS` listens on a free port of 127.0.0.1, prints `ready PORT`, and
//! answers for a table of so many rows below 1.3.6.1.4.1.8072.9999.9999.435, to
//! the community `public` and to one user for each pair of protocols: `SHA-256`
//! (authentication alone), `SHA-256_AES`, and so on, besides `nobody` without
//! any. The passwords are `authentication` and `privacy-privacy`.

#![expect(clippy::print_stdout, reason = "what it prints is read by the test that started it")]
#![expect(
    clippy::disallowed_methods,
    reason = "this is a driver: it owns the socket and the clock"
)]

use std::error::Error;
use std::net::UdpSocket;
use std::time::Instant;

use agent::mib::{Context, Cursor, Object};
use agent::usm::{
    AuthenticationProtocol as Authentication, PrivacyProtocol, Secret, User, UserError,
};
use agent::{Action, CommitOutcome, Engine, EngineConfig, GetResult, Oid, Registry, Value};
use store::{Now, Snapshot, Time, UtcTime};

const ROOT: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 435];

const ENGINE_ID: &[u8] = &[0x80, 0, 0x1f, 0x88, 4, b't', b'e', b's', b't'];

const AUTHENTICATION: [(&str, Authentication); 6] = [
    ("MD5", Authentication::Md5),
    ("SHA", Authentication::Sha1),
    ("SHA-224", Authentication::Sha224),
    ("SHA-256", Authentication::Sha256),
    ("SHA-384", Authentication::Sha384),
    ("SHA-512", Authentication::Sha512),
];

const PRIVACY: [(&str, PrivacyProtocol); 4] = [
    ("DES", PrivacyProtocol::Des),
    ("AES", PrivacyProtocol::Aes128),
    ("AES-192", PrivacyProtocol::Aes192),
    ("AES-256", PrivacyProtocol::Aes256),
];

/// A table of so many rows, with an integer, a string and a `Counter64` each.
struct Rows(u32);

const COLUMNS: u32 = 3;

impl Rows {
    fn cell(&self, column: u32, row: u32) -> Option<Value> {
        if !(1..=self.0).contains(&row) {
            return None;
        }
        match column {
            1 => i32::try_from(row).ok().map(Value::Integer32),
            2 => Some(Value::octets(format!("row {row}"))),
            3 => Some(Value::Counter64(u64::from(row) << 32)),
            _ => None,
        }
    }
}

impl Object for Rows {
    fn get(&self, _: Context<'_>, suffix: &[u32]) -> GetResult {
        match suffix {
            [1, column @ 1..=COLUMNS, row] => self.cell(*column, *row).into(),
            [1, 1..=COLUMNS, ..] => GetResult::NoSuchInstance,
            _ => GetResult::NoSuchObject,
        }
    }

    fn seek<'a>(&'a self, _: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        let (column, row) = match suffix {
            [] | [0, ..] | [1] | [1, 0, ..] => (1, 1),
            [1, column] => (*column, 1),
            [1, column, row, ..] => (*column, row.saturating_add(1)),
            _ => (COLUMNS + 1, 1),
        };
        Box::new(RowsCursor { rows: self, column, row })
    }
}

struct RowsCursor<'a> {
    rows: &'a Rows,
    column: u32,
    row: u32,
}

impl Cursor for RowsCursor<'_> {
    fn next(&mut self, name: &mut Oid) -> Option<Value> {
        while self.column <= COLUMNS {
            if let Some(value) = self.rows.cell(self.column, self.row) {
                name.extend_from_slice(&[1, self.column, self.row]);
                self.row += 1;
                return Some(value);
            }
            (self.column, self.row) = (self.column + 1, 1);
        }
        None
    }
}

fn config() -> Result<EngineConfig, UserError> {
    let mut config =
        EngineConfig { engine_id: ENGINE_ID.to_vec(), engine_boots: 7, ..EngineConfig::default() };
    config.allow_read("public", &[1, 3]);
    config.allow_user(User::new("nobody")?, &[1, 3], None);
    let (authentication, privacy) =
        (Secret::password("authentication"), Secret::password("privacy-privacy"));
    for (name, protocol) in AUTHENTICATION {
        let user = User::new(name)?.with_authentication(ENGINE_ID, protocol, &authentication)?;
        for (suffix, protocol) in PRIVACY {
            let name = format!("{name}_{suffix}").as_str().into();
            let mut user = user.clone();
            user.name = name;
            config.allow_user(user.with_privacy(ENGINE_ID, protocol, &privacy)?, &[1, 3], None);
        }
        config.allow_user(user, &[1, 3], None);
    }
    Ok(config)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = std::env::args().nth(1).map_or(Ok(100), |rows| rows.parse())?;
    let mut registry = Registry::new();
    registry.add(ROOT, Rows(rows));
    let mut engine = Engine::with_registry(config()?, registry);
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    println!("ready {}", socket.local_addr()?.port());
    let started = Instant::now();
    let snapshot = Snapshot::default();
    let mut buffer = vec![0; 65_536];
    loop {
        let (len, peer) = socket.recv_from(&mut buffer)?;
        let uptime = Time::from_uptime(started.elapsed());
        let now = Now { uptime, utc: UtcTime::default(), clock_step: 0 };
        let datagram = buffer.get(..len).unwrap_or_default();
        let mut actions = engine.handle(now, &snapshot, peer, datagram);
        while let Some(action) = actions.pop() {
            match action {
                Action::Reply(octets) => {
                    socket.send_to(&octets, peer)?;
                }
                // There is no store here.
                Action::Commit { id, .. } => {
                    actions.extend(engine.on_commit(id, CommitOutcome::Failed, now, &snapshot));
                }
            }
        }
    }
}
