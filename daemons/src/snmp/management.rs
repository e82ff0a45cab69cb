//! The SNMP engine before and when there is a store.

use std::convert::Infallible;
use std::time::Duration;

use agent::{Action, Engine};
use anyhow::Context as _;
use store::{Snapshot, Store};
use tracing::{debug, warn};

use super::{EngineState, Keeper, engine_config, saved, state_path};
use crate::clock::Clock;
use crate::config::{Config, SnmpConfig};
use crate::driver::agentx::SubagentDriver;
use crate::driver::snmp::Parts;
use crate::socket::datagram::{DatagramSocket, Patience};
use crate::socket::{DATAGRAM_MAX, DATAGRAMS_A_TURN, SnmpSocket};
use crate::system::instance_name;

/// How often it is seen whether somebody asks while there is no store.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// An engine with its sockets; its own state is a file, which needs no store.
pub(crate) struct Management {
    engine: Engine,
    keeper: Keeper,
    sockets: Vec<SnmpSocket>,
    is_warm_start: bool,
}

impl Management {
    /// Makes the engine that the file configures: one more start of it.
    pub(crate) fn new(
        config: &Config,
        section: &SnmpConfig,
        sockets: Vec<SnmpSocket>,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let path = state_path(config)?;
        // No secret is in it: `Debug` leaves them out.
        let (state, is_warm_start) = EngineState::start_with(&path, &format!("{config:?}"))?;
        let made = engine_config(section, &state, &instance_name(config), clock)?;
        let keeper = Keeper::new(path.clone(), &made.users);
        let mut engine = Engine::new(made);
        let saved = saved(&state).with_context(|| format!("`{}` is damaged", path.display()))?;
        for problem in engine.restore(saved) {
            warn!(problem, "something that was SET is left out");
        }
        Ok(Self { engine, keeper, sockets, is_warm_start })
    }

    /// Answers over UDP that what is in the store cannot be answered yet, and all else as ever;
    /// who connects over TCP waits. Never ends.
    pub(crate) async fn serve_without_store(
        management: Option<&mut Self>,
        clock: &Clock,
    ) -> Infallible {
        let Some(Self { engine, sockets, .. }) = management else {
            return std::future::pending().await;
        };
        engine.set_loading(true);
        let udp = sockets.iter().filter_map(|socket| match socket {
            SnmpSocket::Udp(socket) => Some(socket.try_clone().map_err(anyhow::Error::from)),
            SnmpSocket::Tcp(_) => None,
        });
        let mut served = Vec::new();
        let open = |socket| DatagramSocket::new(socket, LOOK_EVERY);
        for socket in udp.map(|socket| socket.and_then(open)) {
            match socket {
                Ok(socket) => served.push(socket),
                Err(error) => warn!("SNMP is silent until there is a store: {error:#}"),
            }
        }
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            for socket in &served {
                answer(engine, socket, &mut buffer, clock);
            }
        }
    }

    /// What serves once there is a store.
    pub(crate) fn parts(
        self,
        subagent: Option<SubagentDriver>,
        store: Store,
        clock: Clock,
    ) -> Parts {
        let Self { mut engine, keeper, sockets, is_warm_start } = self;
        engine.set_loading(false);
        Parts { engine, keeper, sockets, subagent, store, clock, is_warm_start }
    }
}

/// Answers what has arrived, up to a limit: the store comes through the same thread.
fn answer(engine: &mut Engine, socket: &DatagramSocket, buffer: &mut [u8], clock: &Clock) {
    for _ in 0..DATAGRAMS_A_TURN {
        let Ok(Some(arrival)) = socket.receive(buffer, Patience::None) else { return };
        let datagram = buffer.get(..arrival.length).unwrap_or_default();
        let actions = engine.handle(clock.now(), &Snapshot::default(), arrival.peer, datagram);
        for action in actions {
            // Notifications are sent by the engine that serves.
            if let Action::Reply(octets) = action
                && let Err(error) = socket.reply(&arrival, &octets)
            {
                debug!(peer = %arrival.peer, %error, "failed to send an SNMP reply");
            }
        }
    }
}
