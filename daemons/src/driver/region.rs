//! What the regional configuration of the store means for the machines of agents (RFC 4857).

use std::net::Ipv4Addr;

use mobility::{AdvertisedRegion, RegionConfig};
use store::GatewayAssignment;

use crate::configuration::Region;

/// What a foreign agent is told of the region it is in.
pub(super) fn of_foreign_agent(region: &Region) -> Option<RegionConfig> {
    let it = region.foreign_agent.as_ref()?;
    Some(RegionConfig {
        gateway: it.gateway,
        also: it.also.iter().copied().collect(),
        // A node may leave the choice to the region, whatever is advertised: which gateway it gets
        // is that gateway's to refuse.
        dynamic: it.assignment == GatewayAssignment::Dynamic,
        spi: it.spi,
    })
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
