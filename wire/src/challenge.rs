//! The Mobile-Foreign Challenge Extension (132, RFC 4721 §4).

use crate::ParseError;
use crate::emit::{self, DataTooLong};
use crate::extension::{Extension, extension_type};

/// The challenge that a mobile node answers: the octets of an Agent Advertisement or of a reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Challenge<'a>(pub &'a [u8]);

impl<'a> Challenge<'a> {
    /// Reads the extension.
    pub fn parse(extension: &Extension<'a>) -> Result<Self, ParseError> {
        extension.expect(extension_type::CHALLENGE)?;
        Ok(Self(extension.body))
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) -> Result<(), DataTooLong> {
        emit::simple(out, extension_type::CHALLENGE, &[self.0])
    }
}

#[cfg(test)]
mod tests;
