//! The Generalized Mobile IP Authentication Extension (36, RFC 4721 §5).

use crate::auth::{AuthenticationAlgorithm, SecretKey, append_spi_and_authenticator};
use crate::extension::{Extension, extension_type};
use crate::{Authentication, ParseError, Spi};

/// An authentication extension between endpoints that the Sub-Type names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GeneralizedAuthentication<'a> {
    pub subtype: u8,
    pub authentication: Authentication<'a>,
}

impl<'a> GeneralizedAuthentication<'a> {
    /// RFC 4721 §6.
    pub const MOBILE_AAA: u8 = 1;
    /// RFC 4857 §11.
    pub const FOREIGN_FOREIGN: u8 = 2;
    /// RFC 4857 §11.
    pub const MOBILE_GATEWAY: u8 = 3;

    /// Reads the extension, whose offsets count in `message`; its Length is at least 20 (§5).
    pub fn parse(message: &'a [u8], extension: &Extension<'a>) -> Result<Self, ParseError> {
        extension.expect(extension_type::GENERALIZED_AUTHENTICATION)?;
        if extension.body.len() < 20 {
            return Err(extension.length_error());
        }
        Ok(Self {
            subtype: extension.subtype.unwrap_or_default(),
            authentication: Authentication::parse(message, extension)?,
        })
    }
}

/// Appends a Generalized Authentication Extension.
///
/// The Authenticator covers everything before it and the extension's own Type,
/// Sub-Type, Length and SPI (RFC 4721 §6).
pub fn append_generalized_authentication(
    message: &mut Vec<u8>,
    subtype: u8,
    spi: Spi,
    algorithm: AuthenticationAlgorithm,
    key: &SecretKey,
) {
    let length = algorithm.extension_len();
    message.extend([extension_type::GENERALIZED_AUTHENTICATION, subtype, 0, length]);
    append_spi_and_authenticator(message, spi, algorithm, key);
}

#[cfg(test)]
mod tests;
