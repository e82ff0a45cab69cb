//! Writers of the three extension layouts (RFC 5944 §1.9 to §1.11).

/// Data that do not fit the Length field of their extension.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("extension type {kind} cannot hold {length} octets of data")]
pub struct DataTooLong {
    pub kind: u8,
    pub length: usize,
}

/// Appends `Type Length Data`.
pub(crate) fn simple(out: &mut Vec<u8>, kind: u8, data: &[&[u8]]) -> Result<(), DataTooLong> {
    let length = total(data);
    let octet = u8::try_from(length).map_err(|_| DataTooLong { kind, length })?;
    out.extend([kind, octet]);
    append(out, data);
    Ok(())
}

/// Appends `Type Length Sub-Type Data`; the Length counts the Sub-Type.
pub(crate) fn short(
    out: &mut Vec<u8>,
    kind: u8,
    subtype: u8,
    data: &[&[u8]],
) -> Result<(), DataTooLong> {
    let length = total(data);
    let octet = u8::try_from(length.saturating_add(1)).map_err(|_| DataTooLong { kind, length })?;
    out.extend([kind, octet, subtype]);
    append(out, data);
    Ok(())
}

/// Appends `Type Sub-Type Length(2) Data`.
pub(crate) fn long(
    out: &mut Vec<u8>,
    kind: u8,
    subtype: u8,
    data: &[&[u8]],
) -> Result<(), DataTooLong> {
    let length = total(data);
    let octets = u16::try_from(length).map_err(|_| DataTooLong { kind, length })?.to_be_bytes();
    out.extend([kind, subtype]);
    out.extend(octets);
    append(out, data);
    Ok(())
}

fn total(data: &[&[u8]]) -> usize {
    data.iter().map(|part| part.len()).sum()
}

fn append(out: &mut Vec<u8>, data: &[&[u8]]) {
    for part in data {
        out.extend(*part);
    }
}
