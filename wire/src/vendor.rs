//! Vendor/Organization Specific Extensions (RFC 3115).

use crate::ParseError;
use crate::cursor::Cursor;
use crate::emit::{self, DataTooLong};
use crate::extension::{Extension, extension_type};

/// A Critical (38, §2.1) or Normal (134, §2.2) Vendor/Organization Specific Extension.
///
/// What is critical and not understood is answered with the codes of §2.4,
/// which is up to the machine: this reader knows no vendor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VendorExtension<'a> {
    pub critical: bool,
    /// The SMI private enterprise code.
    pub vendor: u32,
    /// The Vendor-CVSE-Type or Vendor-NVSE-Type.
    pub vendor_type: u16,
    pub value: &'a [u8],
}

impl<'a> VendorExtension<'a> {
    /// Reads either; reserved octets are ignored (§2.1, §2.2).
    pub fn parse(extension: &Extension<'a>) -> Result<Self, ParseError> {
        let critical = extension.kind == extension_type::CRITICAL_VENDOR_SPECIFIC;
        if !critical {
            extension.expect(extension_type::NORMAL_VENDOR_SPECIFIC)?;
        }
        Self::read(critical, extension.body).map_err(|_| extension.length_error())
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) -> Result<(), DataTooLong> {
        let vendor = self.vendor.to_be_bytes();
        let vendor_type = self.vendor_type.to_be_bytes();
        if self.critical {
            let kind = extension_type::CRITICAL_VENDOR_SPECIFIC;
            emit::long(out, kind, 0, &[&vendor, &vendor_type, self.value])
        } else {
            let kind = extension_type::NORMAL_VENDOR_SPECIFIC;
            emit::simple(out, kind, &[&[0, 0], &vendor, &vendor_type, self.value])
        }
    }

    fn read(critical: bool, body: &'a [u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(body);
        if !critical {
            cursor.u16()?;
        }
        Ok(Self {
            critical,
            vendor: cursor.u32()?,
            vendor_type: cursor.u16()?,
            value: cursor.rest(),
        })
    }
}

#[cfg(test)]
mod tests;
