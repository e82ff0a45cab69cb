//! The walk over the extensions of a control message (RFC 5944 §1.8 to §1.11).

use crate::ParseError;
use crate::cursor::Cursor;

/// The Type octets of extensions in control messages.
pub mod extension_type {
    /// One octet, without a length (RFC 5944 §1.8).
    pub const PADDING: u8 = 0;
    pub const MOBILE_HOME_AUTHENTICATION: u8 = 32;
    pub const MOBILE_FOREIGN_AUTHENTICATION: u8 = 33;
    pub const FOREIGN_HOME_AUTHENTICATION: u8 = 34;
    /// RFC 4721 §5.
    pub const GENERALIZED_AUTHENTICATION: u8 = 36;
    /// RFC 3115 §2.1.
    pub const CRITICAL_VENDOR_SPECIFIC: u8 = 38;
    /// RFC 3519 §3.2.
    pub const UDP_TUNNEL_REPLY: u8 = 44;
    /// RFC 4636 §3.
    pub const FOREIGN_AGENT_ERROR: u8 = 45;
    /// RFC 4857 §9.1.
    pub const GFA_IP_ADDRESS: u8 = 46;
    /// RFC 6245 §5.
    pub const GRE_KEY: u8 = 48;
    /// RFC 3024 §3.3.
    pub const ENCAPSULATING_DELIVERY_STYLE: u8 = 130;
    /// RFC 2794 §2.
    pub const MOBILE_NODE_NAI: u8 = 131;
    /// RFC 4721 §4.
    pub const CHALLENGE: u8 = 132;
    /// RFC 3115 §2.2.
    pub const NORMAL_VENDOR_SPECIFIC: u8 = 134;
    /// RFC 3846 §3.
    pub const NAI_CARRYING: u8 = 136;
    /// RFC 3543 §3.2.
    pub const REVOCATION_SUPPORT: u8 = 137;
    /// RFC 4433 §3.4.
    pub const DYNAMIC_HOME_AGENT: u8 = 139;
    /// RFC 4857 §9.2.
    pub const HIERARCHICAL_FOREIGN_AGENT: u8 = 140;
    /// RFC 4857 §9.3.
    pub const REPLAY_PROTECTION_STYLE: u8 = 141;
    /// RFC 4857 §9.4.
    pub const REGIONAL_REGISTRATION_LIFETIME: u8 = 142;
    /// RFC 3519 §3.1.
    pub const UDP_TUNNEL_REQUEST: u8 = 144;
    /// RFC 4917 §3.
    pub const MESSAGE_STRING: u8 = 145;
    /// RFC 5177 §4.1.
    pub const MOBILE_NETWORK: u8 = 148;
}

/// How the octets after the Type are laid out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layout {
    /// `Type Length(1) Data` (RFC 5944 §1.9).
    Simple,
    /// `Type Length(1) Sub-Type Data`; the Sub-Type counts (RFC 5944 §1.11).
    Short,
    /// `Type Sub-Type Length(2) Data`; the Sub-Type does not count (RFC 5944 §1.10).
    ///
    /// The Critical Vendor Specific Extension (38) has a reserved octet where
    /// the Sub-Type is, and is read the same way (RFC 3115 §2.1).
    Long,
}

/// The layout of an extension type; `None` if it cannot even be stepped over.
///
/// 139 is skippable and long all the same (RFC 4433 §3.4).
pub const fn layout(kind: u8) -> Option<Layout> {
    match kind {
        36 | 38 | 40..=43 | 48 | 50 | 127 | 139 => Some(Layout::Long),
        44 | 45 | 47 | 49 | 136 | 138 | 144 | 145 | 147..=149 | 152..=154 | 255 => {
            Some(Layout::Short)
        }
        32..=34 | 46 | 128..=254 => Some(Layout::Simple),
        0..=127 => None,
    }
}

/// Whether an unknown extension of this type is to be ignored, not the message with it (§1.8).
pub const fn is_skippable(kind: u8) -> bool {
    kind >= 128
}

/// Whether this crate has a reader for the type.
pub const fn is_known(kind: u8) -> bool {
    matches!(
        kind,
        32..=34 | 36 | 38 | 44..=46 | 48 | 130..=132 | 134 | 136 | 137 | 139..=142 | 144 | 145 | 148
    )
}

/// One extension, where it lies, and its data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extension<'a> {
    pub kind: u8,
    /// Of the short and long layouts; the reserved octet of a CVSE (38).
    pub subtype: Option<u8>,
    /// The data after type, length and sub-type.
    pub body: &'a [u8],
    /// Offset of the Type octet in the slice that is walked.
    pub start: usize,
    /// Offset behind the last octet.
    pub end: usize,
}

impl Extension<'_> {
    /// See [`is_skippable`].
    pub const fn is_skippable(&self) -> bool {
        is_skippable(self.kind)
    }

    /// See [`is_known`].
    pub const fn is_known(&self) -> bool {
        is_known(self.kind)
    }

    /// Checks that a reader was given its own type.
    pub(crate) fn expect(&self, want: u8) -> Result<(), ParseError> {
        if self.kind == want {
            Ok(())
        } else {
            Err(ParseError::UnexpectedExtension { got: self.kind, want })
        }
    }

    /// Checks that a reader knows the sub-type.
    pub(crate) fn expect_subtype(&self, want: u8) -> Result<(), ParseError> {
        if self.subtype == Some(want) { Ok(()) } else { Err(self.subtype_error()) }
    }

    /// The error of a reader that does not know the sub-type.
    pub(crate) fn subtype_error(&self) -> ParseError {
        ParseError::ExtensionSubtype { kind: self.kind, subtype: self.subtype.unwrap_or_default() }
    }

    /// The error of a reader that cannot use data of this length.
    pub(crate) fn length_error(&self) -> ParseError {
        ParseError::ExtensionLength { kind: self.kind, length: self.body.len() }
    }
}

/// Walks the extensions of `octets`, which begin with the first one.
pub const fn extensions(octets: &[u8]) -> Extensions<'_> {
    Extensions { octets, offset: 0 }
}

/// Walks the extensions of `message` from `offset`; the offsets of the items count from the
/// front of `message`.
pub const fn extensions_from(message: &[u8], offset: usize) -> Extensions<'_> {
    Extensions { octets: message, offset }
}

/// An iterator over extensions; padding is stepped over, and nothing follows an error.
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    octets: &'a [u8],
    offset: usize,
}

impl<'a> Extensions<'a> {
    /// Reads the extension whose Type octet was taken; `cursor` stands behind it.
    fn read(kind: u8, cursor: &mut Cursor<'a>) -> Result<(Option<u8>, &'a [u8]), ParseError> {
        match layout(kind).ok_or(ParseError::UnskippableExtension(kind))? {
            Layout::Simple => {
                let length = match (kind, cursor.u8()?) {
                    // RFC 4857 §9.3 prints a Length of 2 beside a figure with ten octets of data,
                    // so both occur; in either case ten follow.
                    (extension_type::REPLAY_PROTECTION_STYLE, 2) => 10,
                    (_, length) => length,
                };
                Ok((None, cursor.take(length.into())?))
            }
            Layout::Short => {
                let length = usize::from(cursor.u8()?);
                let data =
                    length.checked_sub(1).ok_or(ParseError::ExtensionLength { kind, length })?;
                Ok((Some(cursor.u8()?), cursor.take(data)?))
            }
            Layout::Long => {
                let subtype = cursor.u8()?;
                let length = cursor.u16()?;
                Ok((Some(subtype), cursor.take(length.into())?))
            }
        }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.octets.get(self.offset..)?;
        let padding = rest.iter().take_while(|&&kind| kind == extension_type::PADDING).count();
        let (&kind, data) = rest.get(padding..)?.split_first()?;
        let mut cursor = Cursor::new(data);
        let read = Self::read(kind, &mut cursor);
        let start = self.offset.saturating_add(padding);
        let end = self.octets.len().saturating_sub(cursor.rest().len());
        match read {
            Ok((subtype, body)) => {
                self.offset = end;
                Some(Ok(Extension { kind, subtype, body, start, end }))
            }
            Err(error) => {
                self.octets = &[];
                self.offset = 0;
                Some(Err(in_extension(kind, error)))
            }
        }
    }
}

/// Says in which extension the octets ran out.
fn in_extension(kind: u8, error: ParseError) -> ParseError {
    match error {
        ParseError::Truncated { need, have } => ParseError::ExtensionTruncated { kind, need, have },
        other => other,
    }
}

#[cfg(test)]
mod tests;
