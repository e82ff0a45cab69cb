//! The extensions of one message, found in one pass.

use crate::auth::Authentication;
use crate::extension::{Extension, Extensions, extension_type, extensions_from};
use crate::generalized::GeneralizedAuthentication;
use crate::message::extensions_offset;
use crate::vendor::VendorExtension;
use crate::{Nai, ParseError};

/// What the extensions of a control message say, and who vouches for them.
///
/// The Mobile-Home Authentication Extension splits them: those before it are
/// covered by it, those after it were added by a foreign agent
/// (RFC 5944 §3.5.2, §3.6.1.3, §3.7.2.2). Extensions that may occur only once
/// are taken where they occur first; the rest is up to the machine, which
/// reads `duplicate` and `misplaced`.
#[derive(Clone, Debug)]
pub struct RegistrationExtensions<'a> {
    pub nai: Option<Nai>,
    pub mobile_home: Option<Authentication<'a>>,
    pub mobile_foreign: Option<Authentication<'a>>,
    pub foreign_home: Option<Authentication<'a>>,
    /// The type of the first extension that occurs again and may not.
    pub duplicate: Option<u8>,
    /// The type of the first extension on the wrong side of the Mobile-Home
    /// Authentication Extension: an NAI behind it (RFC 2794 §2), the authentication of a
    /// foreign agent before it (RFC 5944 §3.6.1.3, §3.7.2.2).
    pub misplaced: Option<u8>,
    message: &'a [u8],
    /// Where the extensions begin.
    offset: usize,
    /// Where the Mobile-Home Authentication Extension lies.
    boundary: Option<(usize, usize)>,
}

impl<'a> RegistrationExtensions<'a> {
    /// Walks all extensions of `message`, which begins with its Type octet.
    ///
    /// An unskippable extension that this crate does not know is an error, as
    /// is one that runs over the end: the message is to be dropped
    /// (RFC 5944 §1.8).
    pub fn parse(message: &'a [u8]) -> Result<Self, ParseError> {
        let offset = extensions_offset(message)?;
        let mut found = Self {
            nai: None,
            mobile_home: None,
            mobile_foreign: None,
            foreign_home: None,
            duplicate: None,
            misplaced: None,
            message,
            offset,
            boundary: None,
        };
        for extension in extensions_from(message, offset) {
            found.add(&extension?)?;
        }
        Ok(found)
    }

    /// All of them.
    pub fn all(&self) -> Extensions<'a> {
        extensions_from(self.message, self.offset)
    }

    /// Those that the Mobile-Home Authentication Extension covers; all, when there is none.
    pub fn before_mobile_home(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let end = self.boundary.map_or(self.message.len(), |(start, _)| start);
        self.all().flatten().take_while(move |extension| extension.end <= end)
    }

    /// Those behind the Mobile-Home Authentication Extension; none, when there is none.
    pub fn after_mobile_home(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let start = self.boundary.map_or(self.message.len(), |(_, end)| end);
        extensions_from(self.message, start).flatten()
    }

    /// The first Generalized Authentication Extension of a sub-type (RFC 4721 §5).
    pub fn generalized(&self, subtype: u8) -> Option<Authentication<'a>> {
        self.all()
            .flatten()
            .filter_map(|extension| GeneralizedAuthentication::parse(self.message, &extension).ok())
            .find(|found| found.subtype == subtype)
            .map(|found| found.authentication)
    }

    /// The vendor extensions that the Mobile-Home Authentication Extension covers.
    pub fn vendors_before(&self) -> impl Iterator<Item = VendorExtension<'a>> + use<'a> {
        self.before_mobile_home().filter_map(|extension| VendorExtension::parse(&extension).ok())
    }

    /// The vendor extensions behind the Mobile-Home Authentication Extension.
    pub fn vendors_after(&self) -> impl Iterator<Item = VendorExtension<'a>> + use<'a> {
        self.after_mobile_home().filter_map(|extension| VendorExtension::parse(&extension).ok())
    }

    /// The first extension of a type.
    pub fn first(&self, kind: u8) -> Option<Extension<'a>> {
        self.all().flatten().find(|extension| extension.kind == kind)
    }

    /// The octets up to and with the Mobile-Home Authentication Extension: what a foreign agent
    /// relays untouched (RFC 5944 §3.7.2.2, §3.7.3.2); the whole message, when there is none.
    pub fn through_mobile_home(&self) -> &'a [u8] {
        let end = self.boundary.map_or(self.message.len(), |(_, end)| end);
        self.message.get(..end).unwrap_or_default()
    }

    fn add(&mut self, extension: &Extension<'a>) -> Result<(), ParseError> {
        let kind = extension.kind;
        let first = match kind {
            extension_type::MOBILE_NODE_NAI => {
                if self.boundary.is_some() {
                    self.misplaced.get_or_insert(kind);
                }
                put_first(&mut self.nai, Nai::parse(extension)?)
            }
            extension_type::MOBILE_HOME_AUTHENTICATION => {
                if self.boundary.is_none() {
                    self.boundary = Some((extension.start, extension.end));
                    self.note_early_foreign();
                }
                put_first(&mut self.mobile_home, Authentication::parse(self.message, extension)?)
            }
            extension_type::MOBILE_FOREIGN_AUTHENTICATION => {
                put_first(&mut self.mobile_foreign, Authentication::parse(self.message, extension)?)
            }
            extension_type::FOREIGN_HOME_AUTHENTICATION => {
                put_first(&mut self.foreign_home, Authentication::parse(self.message, extension)?)
            }
            extension_type::GENERALIZED_AUTHENTICATION => {
                GeneralizedAuthentication::parse(self.message, extension).map(|_| true)?
            }
            extension_type::CRITICAL_VENDOR_SPECIFIC => {
                VendorExtension::parse(extension).map(|_| true)?
            }
            _ if extension.is_known() || extension.is_skippable() => true,
            _ => return Err(ParseError::UnskippableExtension(kind)),
        };
        if !first {
            self.duplicate.get_or_insert(kind);
        }
        Ok(())
    }

    /// Called when the Mobile-Home Authentication Extension comes after another one.
    fn note_early_foreign(&mut self) {
        if self.mobile_foreign.is_some() {
            self.misplaced.get_or_insert(extension_type::MOBILE_FOREIGN_AUTHENTICATION);
        } else if self.foreign_home.is_some() {
            self.misplaced.get_or_insert(extension_type::FOREIGN_HOME_AUTHENTICATION);
        }
    }
}

/// Keeps the first of several; tells whether this was it.
fn put_first<T>(place: &mut Option<T>, value: T) -> bool {
    let first = place.is_none();
    if first {
        *place = Some(value);
    }
    first
}

#[cfg(test)]
mod tests;
