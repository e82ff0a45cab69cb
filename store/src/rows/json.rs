//! The stored form of the rows that each registration writes, without the detours of `serde`.
//!
//! `flatten` makes a map of a row, and a map writes each name and each address as text that may
//! need escapes. These rows have names that need none; what comes out is the same to the octet.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::Serialize;

use crate::key::Dotted;

/// An object that is written field by field; each name is given with its quotes and its colon.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(name.as_bytes());
    }

    /// A field of any type.
    pub(super) fn field<T: Serialize>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), serde_json::Error> {
        self.name(name);
        serde_json::to_writer(&mut *self.out, value)
    }

    /// A field that is left out where there is nothing to say.
    pub(super) fn optional<T: Serialize>(
        &mut self,
        name: &str,
        value: Option<&T>,
    ) -> Result<(), serde_json::Error> {
        value.map_or(Ok(()), |value| self.field(name, value))
    }

    pub(super) fn address(&mut self, name: &str, address: Ipv4Addr) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(Dotted::of(address).as_bytes());
        self.out.push(b'"');
    }

    pub(super) fn socket(
        &mut self,
        name: &str,
        socket: SocketAddrV4,
    ) -> Result<(), serde_json::Error> {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(Dotted::of(*socket.ip()).as_bytes());
        self.out.push(b':');
        serde_json::to_writer(&mut *self.out, &socket.port())?;
        self.out.push(b'"');
        Ok(())
    }
}

/// Fails unless the stored form of `row` is what `serde` makes of it.
#[cfg(test)]
pub(super) fn assert_stored_as_serde_does<R: crate::Row>(row: &R) {
    let mut octets = Vec::new();
    row.encode_into(&mut octets).unwrap();
    assert_eq!(String::from_utf8(octets).unwrap(), serde_json::to_string(row).unwrap());
}
