//! The SNMP engine behind a plain UDP socket, with made-up objects: for tests
//! with real managers.
//!
//! With a second argument it sends `coldStart` to that port of 127.0.0.1 in every
//! version: as a trap, and as an inform; with a third, `pairs`, as a trap and as an inform for each
//! pair of protocols instead.
//!
//! `serve ROWS [PORT [pairs]]` listens on a free port of 127.0.0.1, prints `ready PORT`, and
//! answers for a table of so many rows below 1.3.6.1.4.1.8072.9999.9999.435, to
//! the community `public` and to one user for each pair of protocols: `SHA-256`
//! (authentication alone), `SHA-256_AES`, and so on, besides `nobody` without
//! any. The passwords are `authentication` and `privacy-privacy`. Who encrypts may write, users and
//! views included; what is SET lasts until the process ends.

#![expect(clippy::print_stdout, reason = "what it prints is read by the test that started it")]
#![expect(
    clippy::disallowed_methods,
    reason = "this is a driver: it owns the socket and the clock"
)]

use std::error::Error;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use agent::mib::{Context, Cursor, Object};
use agent::notify::Receiver;
use agent::usm::{
    AuthenticationProtocol as Authentication, PrivacyProtocol, RemoteUser, Secret, User, UserError,
};
use agent::{
    Action, CommitOutcome, Engine, EngineConfig, GetResult, Name, Oid, SecurityLevel,
    SecurityModel, StorageType, Value,
};
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
            user.storage = StorageType::NonVolatile;
            let user = user.with_privacy(ENGINE_ID, protocol, &privacy)?;
            config.allow_user(user, &[1, 3], Some(&[1, 3]));
        }
        config.allow_user(user, &[1, 3], None);
    }
    Ok(config)
}

/// Sends notifications to a port, in each version and once acknowledged.
fn add_receivers(config: &mut EngineConfig, port: u16) -> Result<(), UserError> {
    let community = config.communities.first().map(|community| community.security_name.clone());
    let community = community.unwrap_or_default();
    let user = Name::from("SHA-256_AES");
    let (no_auth, private) = (SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthPriv);
    for (name, model, security_name, level, inform) in [
        ("trap-v1", SecurityModel::SNMPV1, &community, no_auth, false),
        ("trap-v2c", SecurityModel::SNMPV2C, &community, no_auth, false),
        ("trap-v3", SecurityModel::USM, &user, private, false),
        ("inform-v2c", SecurityModel::SNMPV2C, &community, no_auth, true),
        ("inform-v3", SecurityModel::USM, &user, private, true),
    ] {
        let receiver = Receiver {
            address: ([127, 0, 0, 1], port).into(),
            model,
            security_name: security_name.clone(),
            level,
            inform,
            timeout: 50,
            retry_count: 20,
        };
        config.targets.add(name, receiver);
    }
    let authentication = Some((Authentication::Sha256, "authentication"));
    let privacy = Some((PrivacyProtocol::Aes128, "privacy-privacy"));
    config.remote_users.push(RemoteUser::new("SHA-256_AES", authentication, privacy)?);
    config.authentication_traps = true;
    Ok(())
}

/// Sends a trap and an inform to a port in the name of each user with both protocols.
fn add_pairs(config: &mut EngineConfig, port: u16) -> Result<(), UserError> {
    for (auth, hash) in AUTHENTICATION {
        for (privacy, cipher) in PRIVACY {
            let name = format!("{auth}_{privacy}");
            for inform in [false, true] {
                let receiver = Receiver {
                    address: ([127, 0, 0, 1], port).into(),
                    model: SecurityModel::USM,
                    security_name: name.as_str().into(),
                    level: SecurityLevel::AuthPriv,
                    inform,
                    timeout: 50,
                    retry_count: 20,
                };
                config.targets.add(&format!("{name}_{inform}"), receiver);
            }
            let authentication = Some((hash, "authentication"));
            let privacy = Some((cipher, "privacy-privacy"));
            config.remote_users.push(RemoteUser::new(&name, authentication, privacy)?);
        }
    }
    Ok(())
}

/// The engine with its socket and clock.
struct Driver {
    engine: Engine,
    socket: UdpSocket,
    started: Instant,
}

impl Driver {
    fn now(&self) -> Now {
        let uptime = Time::from_uptime(self.started.elapsed());
        Now { uptime, utc: UtcTime::default(), clock_step: 0 }
    }

    /// Does what the engine says about `peer`.
    fn perform(&mut self, mut actions: Vec<Action>, peer: Option<SocketAddr>) -> io::Result<()> {
        while let Some(action) = actions.pop() {
            match (action, peer) {
                (Action::Notify { to, octets }, _) | (Action::Reply(octets), Some(to)) => {
                    self.socket.send_to(&octets, to)?;
                }
                // There is no store here, and nothing is kept.
                (Action::Commit { id, batch, .. }, _) => {
                    let is_for_the_store = !batch.changes.is_empty();
                    let outcome =
                        if is_for_the_store { CommitOutcome::Failed } else { CommitOutcome::Done };
                    let snapshot = Snapshot::default();
                    actions.extend(self.engine.on_commit(id, outcome, self.now(), &snapshot));
                }
                (Action::Reply(_), None) | (Action::Publish(_), _) => {}
            }
        }
        Ok(())
    }

    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match self.socket.recv_from(buffer) {
            Ok((len, peer)) => {
                let datagram = buffer.get(..len).unwrap_or_default();
                let snapshot = Snapshot::default();
                let actions = self.engine.handle(self.now(), &snapshot, peer, datagram);
                self.perform(actions, Some(peer))?;
            }
            // The time-out, or somebody who is not there any more.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
        }
        let now = self.now();
        if self.engine.next_deadline().is_some_and(|deadline| deadline <= now.uptime) {
            let actions = self.engine.on_deadline(now);
            self.perform(actions, None)?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().map_or(Ok(100), |rows| rows.parse())?;
    let mut registry = agent::mib::registry();
    registry.add(ROOT, Rows(rows));
    let mut config = config()?;
    let receivers = arguments.next().map(|port| port.parse()).transpose()?;
    match (receivers, arguments.next()) {
        (Some(port), None) => add_receivers(&mut config, port)?,
        (Some(port), Some(_)) => add_pairs(&mut config, port)?,
        (None, _) => {}
    }
    let engine = Engine::with_registry(config, registry);
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    println!("ready {}", socket.local_addr()?.port());
    let mut driver = Driver { engine, socket, started: Instant::now() };
    let actions = driver.engine.announce_start(driver.now(), false);
    driver.perform(actions, None)?;
    let mut buffer = vec![0; 65_536];
    loop {
        driver.turn(&mut buffer)?;
    }
}
