//! `mip4d run`: registrations of a hand-made mobile node, and what is left of them afterwards.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use store::{
    Association, Binding, Instance, InstanceState, OpenOptions, Role, Snapshot, Store, StoreUrl,
    Visitor,
};
use wire::{
    AuthenticationAlgorithm, Code, Flags, Identification, Lifetime, RegistrationReply,
    RegistrationRequest, SecretKey, Spi, append_authentication, extension_type,
};

use crate::support::{Files, Running, Signal, mip4d};

const HOME_AGENT: Ipv4Addr = Ipv4Addr::LOCALHOST;
const SPI: Spi = Spi(1000);
const KEY: [u8; 16] = *b"0123456789abcdef";

/// A configuration with a home agent, and the folder of its store.
struct Site {
    files: Files,
    config: String,
    home_agent: SocketAddrV4,
}

impl Site {
    fn new(peers: &[Ipv4Addr]) -> Self {
        let files = Files::new();
        // Free at this moment; the home agent must be found where it was after a restart.
        let probe = UdpSocket::bind((HOME_AGENT, 0)).unwrap();
        let SocketAddr::V4(home_agent) = probe.local_addr().unwrap() else { panic!("IPv4") };
        let site = Self { config: files.path("mip4d.toml"), files, home_agent };
        site.configure(peers);
        site
    }

    fn configure(&self, peers: &[Ipv4Addr]) {
        let mut text = format!(
            "[store]\npath = \"store\"\nsocket = \"store.sock\"\n[daemon]\nname = \"site\"\n[home-agent]\naddress = \"{}\"\nport = {}\n",
            self.home_agent.ip(),
            self.home_agent.port()
        );
        for peer in peers {
            let key = std::str::from_utf8(&KEY).unwrap();
            writeln!(
                text,
                "[[association]]\npeer = \"{peer}\"\nspi = {SPI}\nkey = \"ascii:{key}\""
            )
            .unwrap();
        }
        self.files.write("mip4d.toml", &text);
    }

    fn start(&self) -> Running {
        let running = Running::start(&["run", "--config", &self.config], &[]);
        running.wait_for("serving");
        running
    }

    /// What the store says while nobody serves.
    fn snapshot(&self) -> Snapshot {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let url = StoreUrl::Sled(self.files.path("store").into());
            let store = Store::open(&url, OpenOptions::default()).await.unwrap();
            let snapshot = Snapshot::clone(&store.snapshot());
            store.close().await;
            snapshot
        })
    }
}

/// A request of the node at `home_address`, made now.
fn request(home_address: Ipv4Addr, site: &Site) -> Vec<u8> {
    let flags = Flags(Flags::DECAPSULATION_BY_MOBILE_NODE);
    request_from(home_address, HOME_AGENT, flags, site)
}

fn request_from(
    home_address: Ipv4Addr,
    care_of_address: Ipv4Addr,
    flags: Flags,
    site: &Site,
) -> Vec<u8> {
    let since_1900 =
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(2_208_988_800);
    let request = RegistrationRequest {
        flags,
        lifetime: Lifetime(900),
        home_address,
        home_agent: *site.home_agent.ip(),
        care_of_address,
        identification: Identification::from_halves(
            u32::try_from(since_1900.as_secs() & u64::from(u32::MAX)).unwrap(),
            since_1900.subsec_nanos().wrapping_mul(4),
        ),
    };
    let mut octets = Vec::new();
    request.emit(&mut octets);
    let key = SecretKey::from_octets(&KEY).unwrap();
    let kind = extension_type::MOBILE_HOME_AUTHENTICATION;
    append_authentication(&mut octets, kind, SPI, AuthenticationAlgorithm::HmacMd5, &key);
    octets
}

/// Sends `octets`; the reply, or nothing if none comes in time.
fn exchange(octets: &[u8], site: &Site, patience: Duration) -> Option<RegistrationReply> {
    exchange_with(site.home_agent, octets, patience)
}

fn exchange_with(
    agent: SocketAddrV4,
    octets: &[u8],
    patience: Duration,
) -> Option<RegistrationReply> {
    let socket = UdpSocket::bind((HOME_AGENT, 0)).unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(octets, agent).unwrap();
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).ok()?;
    Some(RegistrationReply::parse(&buffer[..length]).unwrap().0)
}

fn register(home_address: Ipv4Addr, site: &Site) -> Code {
    exchange(&request(home_address, site), site, Duration::from_secs(10)).unwrap().code
}

/// Whether the node is accepted; one that the home agent does not know may get no reply at all.
fn is_served(home_address: Ipv4Addr, site: &Site) -> bool {
    let reply = exchange(&request(home_address, site), site, Duration::from_millis(300));
    reply.is_some_and(|reply| reply.code == Code::ACCEPTED)
}

#[test]
fn bindings_and_replay_state_survive_a_stop_and_a_crash() {
    let (first, second) = (Ipv4Addr::new(10, 99, 0, 1), Ipv4Addr::new(10, 99, 0, 2));
    let site = Site::new(&[first, second]);
    let running = site.start();
    let accepted = request(first, &site);
    assert_eq!(exchange(&accepted, &site, Duration::from_secs(10)).unwrap().code, Code::ACCEPTED);
    assert_eq!(running.end(Signal::TERM), 0);
    let snapshot = site.snapshot();
    assert_eq!(snapshot.rows::<Binding>().len(), 1);
    let instance = snapshot.rows::<Instance>().get(&"site".to_owned()).cloned().unwrap();
    assert_eq!(instance.state, InstanceState::Gone);
    assert!(instance.applied_revision > 0);

    let running = site.start();
    let replayed = exchange(&accepted, &site, Duration::from_secs(10)).unwrap();
    assert_eq!(replayed.code, Code(133), "the same octets again");
    assert_eq!(register(second, &site), Code::ACCEPTED);
    assert_eq!(running.end(Signal::KILL), -1);
    let snapshot = site.snapshot();
    assert_eq!(snapshot.rows::<Binding>().len(), 2, "acknowledged means durable");

    let running = site.start();
    assert_eq!(register(first, &site), Code::ACCEPTED, "renewed with a newer timestamp");
    assert_eq!(running.end(Signal::INT), 0);
}

#[test]
fn a_second_process_on_the_same_store_is_refused_with_words() {
    let site = Site::new(&[]);
    let running = site.start();
    // Elsewhere but for the store, so that it is not the port that is refused.
    let other = Site::new(&[]);
    let store = site.files.path("store");
    let text = std::fs::read_to_string(&other.config).unwrap();
    other.files.write("mip4d.toml", &text.replace("\"store\"", &format!("{store:?}")));
    let refused = mip4d(&["run", "--config", &other.config]);
    assert_eq!(refused.status, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("in use by process"), "{}", refused.stderr);
    let twice = mip4d(&["run", "--config", &site.config]);
    assert_eq!(twice.status, 1);
    assert!(twice.stderr.contains(&format!("udp:{}", site.home_agent)), "{}", twice.stderr);
    assert_eq!(running.end(Signal::TERM), 0);
}

#[test]
fn a_hang_up_applies_associations_and_refuses_a_wrong_file() {
    let (known, late) = (Ipv4Addr::new(10, 99, 0, 1), Ipv4Addr::new(10, 99, 0, 2));
    let site = Site::new(&[known]);
    let running = site.start();
    assert_eq!(register(known, &site), Code::ACCEPTED);
    assert!(!is_served(late, &site));

    site.configure(&[late]);
    running.signal(Signal::HUP);
    running.wait_for("reloaded");
    // The machine hears of it from the store.
    let accepted = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        is_served(late, &site)
    });
    assert!(accepted, "the new association serves");
    assert!(!is_served(known, &site), "the removed one does not");

    site.files.write("mip4d.toml", "[store]\npath = 5\n");
    running.signal(Signal::HUP);
    let said = running.wait_for("nothing has changed");
    assert!(said.contains(":2:8: `store.path`"), "{said}");
    assert_eq!(register(late, &site), Code::ACCEPTED, "it goes on as before");
    assert_eq!(running.end(Signal::TERM), 0);
    let snapshot = site.snapshot();
    let peers: Vec<String> =
        snapshot.rows::<Association>().iter().map(|row| row.peer.to_string()).collect();
    assert_eq!(peers, ["10.99.0.2"]);
}

#[test]
fn a_foreign_agent_in_a_process_of_its_own_relays_and_sees_one_store() {
    let home_address = Ipv4Addr::new(10, 99, 0, 1);
    let site = Site::new(&[home_address]);
    let home = site.start();
    let visited = Ipv4Addr::new(127, 0, 0, 2);
    let foreign_agent = SocketAddrV4::new(visited, site.home_agent.port());
    let config = site.files.write(
        "foreign.toml",
        &format!(
            "[store]\nconnect = \"unix:{}\"\n[daemon]\nname = \"visited\"\n[foreign-agent]\naddress = \"{visited}\"\nport = {port}\nhome-agent-port = {port}\n",
            site.files.path("store.sock"),
            port = foreign_agent.port()
        ),
    );
    let foreign = Running::start(&["run", "--config", &config], &[]);
    foreign.wait_for("serving");
    let octets = request_from(home_address, visited, Flags(0), &site);
    let reply = exchange_with(foreign_agent, &octets, Duration::from_secs(10)).unwrap();
    assert_eq!(reply.code, Code::ACCEPTED);
    assert_eq!(foreign.end(Signal::TERM), 0);
    assert_eq!(home.end(Signal::TERM), 0);
    let snapshot = site.snapshot();
    let binding = snapshot.rows::<Binding>().iter().next().cloned().unwrap();
    assert_eq!((binding.care_of_address, binding.foreign_agent), (visited, Some(visited)));
    let visitor = snapshot.rows::<Visitor>().iter().next().cloned().unwrap();
    assert_eq!((visitor.home_address, visitor.home_agent), (home_address, *site.home_agent.ip()));
    let roles: Vec<_> = snapshot.rows::<Instance>().iter().map(|row| row.roles.clone()).collect();
    assert_eq!(roles, [vec![Role::HomeAgent, Role::Store], vec![Role::ForeignAgent]]);
}

#[test]
fn without_the_process_that_owns_the_store_there_is_no_start() {
    let files = Files::new();
    let config = files.write(
        "mip4d.toml",
        &format!("[store]\nconnect = \"unix:{}\"\n", files.path("store.sock")),
    );
    let done = mip4d(&["run", "--config", &config]);
    assert_eq!(done.status, 3, "{}", done.stderr);
    assert!(done.stderr.contains("store.sock"), "{}", done.stderr);
}

#[test]
fn a_table_that_needs_a_restart_is_named() {
    let site = Site::new(&[]);
    let running = site.start();
    let text = std::fs::read_to_string(&site.config).unwrap();
    site.files.write("mip4d.toml", &text.replace("port = ", "max-lifetime = 60\nport = "));
    running.signal(Signal::HUP);
    let said = running.wait_for("restart");
    assert!(said.contains("`[home-agent]`"), "{said}");
    assert_eq!(running.end(Signal::TERM), 0);
}
