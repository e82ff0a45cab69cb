//! Values that are in the store at this moment, for completion.

use std::collections::BTreeSet;

use store::{
    Advertising, Association, Binding, CareOfAddress, Identity, Instance, Node, Role, Table,
    Violation,
};

use super::candidates::Live;
use crate::view::View;

/// What [`values`] of `kind` looks at.
pub(crate) const fn tables(kind: Live) -> &'static [Table] {
    match kind {
        Live::HomeAddress | Live::Node => &[Table::Bindings, Table::Nodes],
        Live::Nai | Live::CareOf => &[Table::Bindings],
        Live::HomeAgent | Live::ForeignAgent => &[Table::Bindings, Table::Instances],
        Live::Peer | Live::Spi => &[Table::Associations],
        Live::Instance => &[Table::Instances],
        Live::Interface => &[Table::Advertisements],
        Live::Offender => &[Table::Violations],
        Live::Offered => &[Table::CareOfAddresses],
    }
}

/// The values of `kind` in `view`, each once and in order.
pub(crate) fn values(view: &View, kind: Live) -> Vec<String> {
    let bindings = || view.rows::<Binding>().iter();
    let agents = |role: Role| {
        let instances = view.rows::<Instance>().iter();
        let serving = instances.filter(move |instance| instance.roles.contains(&role));
        serving.flat_map(|instance| instance.addresses.iter().copied())
    };
    match kind {
        Live::HomeAddress => {
            let known = view.rows::<Node>().iter().map(|node| node.home_address);
            texts(bindings().map(|binding| binding.home_address).chain(known))
        }
        Live::Peer => texts(view.rows::<Association>().iter().map(|row| row.peer.clone())),
        Live::Node => {
            let known = view.rows::<Node>().iter().map(|node| node.identity.clone());
            let addresses = bindings().map(|binding| Identity::Address(binding.home_address));
            texts(known.chain(addresses))
        }
        Live::Spi => texts(view.rows::<Association>().iter().map(|row| row.spi)),
        Live::Nai => texts(bindings().filter_map(|binding| binding.nai.clone())),
        Live::CareOf => texts(bindings().map(|binding| binding.care_of_address)),
        Live::HomeAgent => {
            let used = bindings().map(|binding| binding.home_agent);
            texts(agents(Role::HomeAgent).chain(used))
        }
        Live::ForeignAgent => {
            let used = bindings().filter_map(|binding| binding.foreign_agent);
            texts(agents(Role::ForeignAgent).chain(used))
        }
        Live::Instance => texts(view.rows::<Instance>().iter().map(|row| row.name.clone())),
        Live::Interface => texts(Advertising::sent(&view.snapshot).map(|(row, _)| row.interface)),
        Live::Offender => texts(view.rows::<Violation>().iter().map(|row| row.violator.clone())),
        Live::Offered => texts(view.rows::<CareOfAddress>().iter().map(|row| row.address)),
    }
}

/// Each value once, in order, as text.
fn texts<T: Ord + ToString>(values: impl Iterator<Item = T>) -> Vec<String> {
    values.collect::<BTreeSet<T>>().iter().map(ToString::to_string).collect()
}
