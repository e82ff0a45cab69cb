//! Links that exist in this process alone: the lab's, which runs without privileges.

use std::task::{Context, Poll};

use tokio::sync::mpsc;

use super::Message;

/// How many messages are on their way at most; more are lost, as on any link.
const CAPACITY: usize = 1024;

/// The end of a link that an agent has.
pub(crate) struct SimulatedLink {
    interface: u32,
    to_nodes: mpsc::Sender<(usize, Message)>,
    from_nodes: mpsc::Receiver<Message>,
}

/// The other ends of all links.
pub(crate) struct NodesEnd {
    to_agents: Vec<mpsc::Sender<Message>>,
    from_agents: mpsc::Receiver<(usize, Message)>,
}

/// Makes links with the indexes from 1 on; the first is link 0 at the other end.
pub(crate) fn links(count: u32) -> (Vec<SimulatedLink>, NodesEnd) {
    let (to_nodes, from_agents) = mpsc::channel(CAPACITY);
    let mut links = Vec::new();
    let mut to_agents = Vec::new();
    for interface in 1..=count {
        let (to_agent, from_nodes) = mpsc::channel(CAPACITY);
        links.push(SimulatedLink { interface, to_nodes: to_nodes.clone(), from_nodes });
        to_agents.push(to_agent);
    }
    (links, NodesEnd { to_agents, from_agents })
}

impl SimulatedLink {
    pub(crate) fn interface(&self) -> u32 {
        self.interface
    }

    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Message> {
        match self.from_nodes.poll_recv(context) {
            Poll::Ready(Some(message)) => Poll::Ready(message),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    pub(super) fn send(&self, message: Message) -> bool {
        let link = usize::try_from(self.interface - 1).unwrap_or(usize::MAX);
        self.to_nodes.try_send((link, message)).is_ok()
    }
}

impl NodesEnd {
    /// How many links there are.
    pub(crate) fn len(&self) -> usize {
        self.to_agents.len()
    }

    /// The next message of an agent, and the link that it is on; never, once all agents are gone.
    pub(crate) async fn receive(&mut self) -> (usize, Message) {
        match self.from_agents.recv().await {
            Some(received) => received,
            None => std::future::pending().await,
        }
    }

    /// Sends to the agent of a link.
    pub(crate) fn send(&self, link: usize, message: Message) {
        if let Some(agent) = self.to_agents.get(link) {
            // A full link loses messages, and so does one whose agent is gone.
            drop(agent.try_send(message));
        }
    }
}
