//! NAIs in extensions (RFC 2794 §2, RFC 3846 §3).

use crate::emit::{self, DataTooLong};
use crate::extension::{Extension, extension_type};
use crate::{Nai, ParseError};

impl Nai {
    /// Reads a Mobile Node NAI Extension.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::MOBILE_NODE_NAI)?;
        Self::from_octets(extension.body).map_err(ParseError::Nai)
    }

    /// Appends a Mobile Node NAI Extension.
    ///
    /// In a request it comes before every authentication extension (RFC 2794 §2).
    pub fn emit(&self, out: &mut Vec<u8>) {
        // A `Nai` has at most 255 octets.
        let length = u8::try_from(self.as_str().len()).unwrap_or(u8::MAX);
        out.extend([extension_type::MOBILE_NODE_NAI, length]);
        out.extend(self.as_str().bytes().take(length.into()));
    }
}

/// The NAI Carrying Extension (136, RFC 3846 §3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NaiCarrying {
    /// The Sub-Type: whose NAI it is.
    pub subtype: u8,
    pub nai: Nai,
}

impl NaiCarrying {
    /// RFC 3846 §4.
    pub const HOME_AGENT: u8 = 1;
    /// RFC 3846 §5.
    pub const HOME_AAA_SERVER: u8 = 2;
    /// RFC 4857 §8.2.
    pub const FOREIGN_AGENT: u8 = 3;

    /// Reads the extension.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::NAI_CARRYING)?;
        let nai = Nai::from_octets(extension.body).map_err(ParseError::Nai)?;
        Ok(Self { subtype: extension.subtype.unwrap_or_default(), nai })
    }

    /// Appends the extension, which holds one octet less than the longest NAI.
    pub fn emit(&self, out: &mut Vec<u8>) -> Result<(), DataTooLong> {
        let nai = self.nai.as_str().as_bytes();
        emit::short(out, extension_type::NAI_CARRYING, self.subtype, &[nai])
    }
}

#[cfg(test)]
mod tests;
