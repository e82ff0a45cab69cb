//! The protocol, as `cargo xtask proto` makes it from `store/proto`.

#[expect(clippy::pedantic, unreachable_pub, reason = "generated")]
pub(crate) mod mvccpb {
    include!("generated/mvccpb.rs");
}

#[expect(
    clippy::pedantic,
    clippy::as_conversions,
    clippy::enum_variant_names,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    unused_qualifications,
    reason = "generated; the protocol has calls that only other clients make"
)]
pub(crate) mod etcdserverpb {
    include!("generated/etcdserverpb.rs");
}
