//! What the regional configuration of the store means for the machines of agents (RFC 4857).

use std::net::Ipv4Addr;

use mobility::{AdvertisedRegion, ForeignAgent, Gateway, RegionConfig};
use store::{GatewayAssignment, Now};

use crate::configuration::Region;

pub(super) fn of_foreign_agent(machine: &mut ForeignAgent, region: &Region, _: Now) {
    machine.set_region(region.foreign_agent.as_ref().map(|it| RegionConfig {
        gateway: it.gateway,
        also: it.also.iter().copied().collect(),
        // A node may leave the choice to the region, whatever is advertised: which gateway it gets
        // is that gateway's to refuse.
        dynamic: it.assignment == GatewayAssignment::Dynamic,
        spi: it.spi,
    }));
}

/// A gateway that no row names serves nobody: nothing is beneath it.
pub(super) fn of_gateway(machine: &mut Gateway, region: &Region, now: Now) {
    let (beneath, elsewhere) = (region.beneath.clone(), region.elsewhere.clone());
    machine.set_region(region.gateway.as_ref(), beneath, elsewhere, now);
}

/// What a foreign agent advertises of its region.
pub(super) fn advertised(region: &Region) -> Option<AdvertisedRegion> {
    let foreign_agent = region.foreign_agent.as_ref()?;
    Some(AdvertisedRegion {
        gateway: match foreign_agent.assignment {
            GatewayAssignment::Advertised => foreign_agent.gateway,
            GatewayAssignment::Dynamic => Ipv4Addr::BROADCAST,
        },
        nai: foreign_agent.nai.clone(),
    })
}
