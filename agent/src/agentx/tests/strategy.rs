//! PDUs of every type, in both orders.

use super::*;

fn order() -> impl Strategy<Value = ByteOrder> {
    prop_oneof![Just(ByteOrder::Network), Just(ByteOrder::Little)]
}

fn octets() -> impl Strategy<Value = Octets> {
    vec(any::<u8>(), 0..40).prop_map(|octets| Octets::from(&octets[..]))
}

fn context() -> impl Strategy<Value = Option<Octets>> {
    proptest::option::of(octets())
}

fn oid() -> impl Strategy<Value = Oid> {
    let free = vec(any::<u32>(), 0..=Oid::LEN_MAX);
    let below_internet = vec(0_u32..300, 0..=20).prop_map(|tail| {
        let mut oid = vec![1, 3, 6, 1];
        oid.extend(tail);
        oid
    });
    prop_oneof![1 => free, 4 => below_internet].prop_map(|sub_ids| Oid::from(&sub_ids[..]))
}

fn data() -> impl Strategy<Value = VarData> {
    let value = prop_oneof![
        any::<i32>().prop_map(Value::Integer32),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u32>().prop_map(Value::TimeTicks),
        any::<u64>().prop_map(Value::Counter64),
        octets().prop_map(Value::OctetString),
        oid().prop_map(Value::ObjectIdentifier),
        any::<[u8; 4]>().prop_map(Value::IpAddress),
    ];
    prop_oneof![
        8 => value.prop_map(VarData::Value),
        1 => octets().prop_map(VarData::Opaque),
        1 => Just(VarData::Null),
        1 => Just(VarData::NoSuchObject),
        1 => Just(VarData::NoSuchInstance),
        1 => Just(VarData::EndOfMibView),
    ]
}

fn variables() -> impl Strategy<Value = Vec<VarBind>> {
    vec((oid(), data()).prop_map(|(name, data)| VarBind { name, data }), 0..5)
}

fn ranges() -> impl Strategy<Value = Vec<SearchRange>> {
    let range = (oid(), any::<bool>(), oid());
    vec(range.prop_map(|(start, include, end)| SearchRange { start, include, end }), 0..5)
}

fn region() -> impl Strategy<Value = Region> {
    let range = proptest::option::of((1_u8.., any::<u32>()));
    (any::<u8>(), oid(), range).prop_map(|(priority, subtree, range)| Region {
        priority,
        subtree,
        range,
    })
}

fn administrative() -> impl Strategy<Value = Body> {
    let indexes = || (context(), any::<bool>(), any::<bool>(), variables());
    prop_oneof![
        (any::<u8>(), oid(), octets()).prop_map(|(timeout, id, description)| Body::Open {
            timeout,
            id,
            description
        }),
        any::<u8>().prop_map(|reason| Body::Close { reason }),
        (context(), region(), any::<u8>(), any::<bool>()).prop_map(
            |(context, region, timeout, instance)| Body::Register {
                context,
                region,
                timeout,
                instance
            }
        ),
        (context(), region()).prop_map(|(context, region)| Body::Unregister { context, region }),
        (context(), variables())
            .prop_map(|(context, variables)| Body::Notify { context, variables }),
        context().prop_map(|context| Body::Ping { context }),
        indexes().prop_map(|(context, new, any, variables)| Body::IndexAllocate {
            context,
            new,
            any,
            variables
        }),
        indexes().prop_map(|(context, new, any, variables)| Body::IndexDeallocate {
            context,
            new,
            any,
            variables
        }),
        (context(), oid(), octets()).prop_map(|(context, id, description)| {
            Body::AddAgentCaps { context, id, description }
        }),
        (context(), oid()).prop_map(|(context, id)| Body::RemoveAgentCaps { context, id }),
    ]
}

fn request() -> impl Strategy<Value = Body> {
    prop_oneof![
        (context(), ranges()).prop_map(|(context, ranges)| Body::Get { context, ranges }),
        (context(), ranges()).prop_map(|(context, ranges)| Body::GetNext { context, ranges }),
        (context(), any::<u16>(), any::<u16>(), ranges()).prop_map(
            |(context, non_repeaters, max_repetitions, ranges)| Body::GetBulk {
                context,
                non_repeaters,
                max_repetitions,
                ranges
            }
        ),
        (context(), variables())
            .prop_map(|(context, variables)| Body::TestSet { context, variables }),
        Just(Body::CommitSet),
        Just(Body::UndoSet),
        Just(Body::CleanupSet),
    ]
}

fn response() -> impl Strategy<Value = Body> {
    (any::<u32>(), any::<u16>(), any::<u16>(), variables()).prop_map(
        |(sys_up_time, error, index, variables)| Body::Response {
            sys_up_time,
            error: ErrorCode(error),
            index,
            variables,
        },
    )
}

/// Any PDU there is.
pub(super) fn pdu() -> impl Strategy<Value = Pdu> {
    let ids = (order(), any::<[u32; 3]>()).prop_map(|(order, [session, transaction, packet])| {
        Ids { order, session, transaction, packet }
    });
    let body = prop_oneof![administrative(), request(), response()];
    (ids, body).prop_map(|(ids, body)| Pdu { ids, body })
}
