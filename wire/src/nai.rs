//! The Mobile Node NAI Extension (RFC 2794 §2).

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
