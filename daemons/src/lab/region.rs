//! The regions of a lab: which foreign agents are beneath which gateway (RFC 4857).

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};
use store::regional::{self, Configuration, Refusal, Wish};
use store::{
    Changed, GatewayAssignment, GatewaySetting, RegionalForeignAgent, RegionalSubject,
    RegionalValue, Store, Unknown,
};
use wire::Nai;

use super::LabArgs;
use super::site::{self, INSTANCE, REGION_SPI};
use crate::clock::utc;

/// How many requests may wait at a gateway: all nodes come through it.
pub(super) const PENDING_MAX: usize = 10_000;

/// Makes the store say what the lab has, whatever an earlier lab in this folder left there.
///
/// Gateways and foreign agents are dealt out in turn. The foreign agents of a region relay to all
/// of its gateways, so that a node keeps the one that it has wherever it goes within the region.
pub(super) async fn configure(args: &LabArgs, store: &Store) -> anyhow::Result<()> {
    let wanted = wanted(args)?;
    let snapshot = store.snapshot();
    if Configuration::running(&snapshot) == wanted {
        return Ok(());
    }
    let by = Changed { by: INSTANCE.to_owned(), at: utc() };
    let edit = regional::edit(INSTANCE, &wanted, &snapshot, (INSTANCE, &by));
    store.commit(edit).await.context("the regions cannot be configured")?;
    let reason = Some("the regions of the lab".to_owned());
    let wish = Wish { by, reason, confirm_within: None };
    match regional::commit(INSTANCE, &store.snapshot(), &wish) {
        Ok(commit) => drop(store.commit(commit.prepared.batch).await?),
        Err(Refusal::Nothing) => {}
        Err(refusal) => return Err(anyhow!("the regions cannot be configured: {refusal:?}")),
    }
    Ok(())
}

fn wanted(args: &LabArgs) -> anyhow::Result<Configuration> {
    let mut wanted = Configuration::default();
    if args.gateways == 0 {
        return Ok(wanted);
    }
    let address = |number| *site::gateway(number, 0).ip();
    let region = |gateway: u32| 1 + (gateway - 1) % args.regions;
    for number in 1..=args.gateways {
        let value = RegionalValue::Gateway(GatewaySetting::default());
        wanted.set(RegionalSubject::Gateway(address(number)), Some(value));
    }
    for number in 1..=args.foreign_agents {
        let gateway = 1 + (number - 1) % args.gateways;
        let same = |it: &u32| *it != gateway && region(*it) == region(gateway);
        let also: BTreeSet<_> = (1..=args.gateways).filter(same).map(address).collect();
        let nai = format!("fa{number}@region{}.lab.example", region(gateway));
        let value = RegionalForeignAgent {
            gateway: address(gateway),
            also,
            assignment: GatewayAssignment::Advertised,
            nai: Some(Nai::new(&nai)?),
            spi: Some(REGION_SPI),
            unknown: Unknown::default(),
        };
        let subject = RegionalSubject::ForeignAgent(*site::foreign_agent(number, 0).ip());
        wanted.set(subject, Some(RegionalValue::ForeignAgent(value)));
    }
    Ok(wanted)
}
