//! Keys of rows, and their text form in the key space.

use std::cmp::Ordering;
use std::fmt;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use wire::Nai;

/// Names a row within its table.
///
/// `path` and `from_path` are a pair: the text below `/mip4/<table>/`, its
/// parts separated by `/`. The order of keys is [`Ord`], not that of the text.
pub trait Key: Clone + fmt::Debug + Ord + Send + Sync + 'static {
    fn path(&self) -> String;

    /// Appends [`Self::path`]. Keys of rows that are written often do it without a string of their own.
    fn push_path(&self, path: &mut String) {
        path.push_str(&self.path());
    }

    fn from_path(path: &str) -> Option<Self>;
}

/// Who a row is about: a mobile node or a peer, by address or by NAI.
///
/// Per-node rows are named by NAI whenever the request carried one, because
/// home addresses need not be unique (a declared reading).
///
/// The order is that of a MIB INDEX of `MipEntityIdentifierType` and
/// `MipEntityIdentifier`: addresses first, then NAIs by their length, of which
/// 64 octets count, then by their octets. So a range of keys is a walk.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    Address(Ipv4Addr),
    Nai(Nai),
}

impl Identity {
    /// How many octets of a NAI an index holds.
    pub const INDEX_LEN_MAX: usize = 64;

    /// Who registers with `home_address`: by NAI whenever there is one, for home addresses need not
    /// be unique.
    pub fn of_node(nai: Option<&Nai>, home_address: Ipv4Addr) -> Self {
        match nai {
            Some(nai) => Self::Nai(nai.clone()),
            None => Self::Address(home_address),
        }
    }

    /// Its NAI, if it is known by one.
    pub const fn nai(&self) -> Option<&Nai> {
        match self {
            Self::Nai(nai) => Some(nai),
            Self::Address(_) => None,
        }
    }
}

impl Ord for Identity {
    // Maps of nodes compare a lot, and mostly addresses.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        // By kind at first: comparing octets that are not there is slow (`memcmp` of an empty slice
        // loads from its dangling pointer, masked, which some processors handle in microcode).
        match (self, other) {
            (Self::Address(one), Self::Address(other)) => one.to_bits().cmp(&other.to_bits()),
            (Self::Nai(one), Self::Nai(other)) => compare_names(one, other),
            (Self::Address(_), Self::Nai(_)) => Ordering::Less,
            (Self::Nai(_), Self::Address(_)) => Ordering::Greater,
        }
    }
}

/// By length as far as an index goes, then by octets.
#[inline(never)]
fn compare_names(one: &Nai, other: &Nai) -> Ordering {
    let (one, other) = (one.as_str().as_bytes(), other.as_str().as_bytes());
    let length = |octets: &[u8]| octets.len().min(Identity::INDEX_LEN_MAX);
    length(one).cmp(&length(other)).then_with(|| one.cmp(other))
}

impl PartialOrd for Identity {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Nai(nai) => nai.fmt(f),
        }
    }
}

impl Identity {
    /// `address=10.0.0.1` or `nai=user%2Fx@example.com`.
    pub(crate) fn segment(&self) -> String {
        let mut segment = String::new();
        self.push_segment(&mut segment);
        segment
    }

    /// Appends [`Self::segment`].
    pub(crate) fn push_segment(&self, path: &mut String) {
        match self {
            Self::Address(address) => {
                path.push_str("address=");
                push_address(path, *address);
            }
            Self::Nai(nai) => {
                path.push_str("nai=");
                push_escaped(path, nai.as_str());
            }
        }
    }

    pub(crate) fn from_segment(segment: &str) -> Option<Self> {
        match segment.split_once('=')? {
            ("address", text) => text.parse().ok().map(Self::Address),
            ("nai", text) => Nai::new(&unescape(text)?).ok().map(Self::Nai),
            _ => None,
        }
    }
}

/// Makes `text` one segment of a path: everything but letters, digits and `@._+-` is percent-encoded.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    push_escaped(&mut escaped, text);
    escaped
}

/// Appends [`escape`] of `text`.
pub(crate) fn push_escaped(escaped: &mut String, text: &str) {
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"@._+-".contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{octet:02X}");
        }
    }
}

/// Appends an address in dotted decimal; each registration writes some of them.
pub(crate) fn push_address(text: &mut String, address: Ipv4Addr) {
    text.push_str(Dotted::of(address).as_str());
}

/// An address in dotted decimal, without a string of its own.
pub(crate) struct Dotted {
    octets: [u8; Self::ROOM],
    length: usize,
}

/// The decimal digits of each octet from the left, and how many there are.
static DECIMALS: [[u8; 4]; 256] = {
    let mut table = [[0; 4]; 256];
    let (mut octet, mut place) = (0_u8, 0);
    loop {
        let [hundreds, tens, ones] =
            [b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10];
        #[expect(clippy::indexing_slicing, reason = "a table of all octets, made by the compiler")]
        {
            table[place] = match octet {
                0..10 => [ones, 0, 0, 1],
                10..100 => [tens, ones, 0, 2],
                100.. => [hundreds, tens, ones, 3],
            };
        }
        if octet == u8::MAX {
            break table;
        }
        (octet, place) = (octet + 1, place + 1);
    }
};

impl Dotted {
    /// Four octets of three digits with a point behind each, the last of which does not count.
    const ROOM: usize = 16;

    pub(crate) fn of(address: Ipv4Addr) -> Self {
        let mut octets = [0; Self::ROOM];
        let mut length = 0;
        for octet in address.octets() {
            let [digits @ .., count] =
                DECIMALS.get(usize::from(octet)).copied().unwrap_or_default();
            // Three digits at a time, of which the next write covers those that are not meant.
            if let Some(place) = octets.get_mut(length..).and_then(|rest| rest.first_chunk_mut()) {
                let [first, second, third] = digits;
                *place = [first, second, third, b'.'];
            }
            length += usize::from(count);
            if let Some(place) = octets.get_mut(length) {
                *place = b'.';
            }
            length += 1;
        }
        Self { octets, length: length - 1 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// Undoes [`escape`]; `None` if that cannot have made `segment`.
pub(crate) fn unescape(segment: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let (digits, tail) = rest.split_at_checked(2)?;
            octets.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            octets.push(*first);
        }
    }
    String::from_utf8(octets).ok()
}

impl Key for String {
    fn path(&self) -> String {
        escape(self)
    }

    fn from_path(path: &str) -> Option<Self> {
        unescape(path)
    }
}

#[cfg(test)]
mod tests;
