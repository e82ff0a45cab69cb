//! Rows in exactly the form in which this version writes them, read without a parser of JSON.
//!
//! A store of a million mobile nodes has three million rows that look alike but for their numbers
//! and names: fields in one order, no space between them. Reading that takes a third of what
//! reading any JSON takes. Nothing rests on it: whatever looks different, older and newer rows and
//! names with escapes included, is `None` here and is read as JSON; and what is read here is what
//! JSON says.

use std::net::{Ipv4Addr, SocketAddrV4};

use wire::Nai;

use crate::{Identity, UtcTime};

/// What is left of a row.
pub(super) struct Written<'a>(&'a [u8]);

impl<'a> Written<'a> {
    /// All of `octets`, taken by `row`.
    pub(super) fn read<T>(octets: &'a [u8], row: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut written = Self(octets);
        let row = row(&mut written)?;
        written.0.is_empty().then_some(row)
    }

    /// Takes `word`, which must come next.
    #[inline]
    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(word.as_bytes())?;
        Some(())
    }

    /// Takes `word` if it comes next.
    #[inline]
    pub(super) fn has(&mut self, word: &str) -> bool {
        self.word(word).is_some()
    }

    /// Takes the end of the row; `None` if there are fields that are not known here.
    pub(super) fn end(&mut self) -> Option<()> {
        self.word("}")
    }

    /// A number without a sign, of no more than `T` holds.
    #[inline]
    pub(super) fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let mut value = 0_u64;
        let mut rest = self.0;
        while let [digit @ b'0'..=b'9', tail @ ..] = rest {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            rest = tail;
        }
        let digits = self.0.len() - rest.len();
        // JSON has no number that starts with a zero it does not need.
        if digits == 0 || (digits > 1 && self.0.first() == Some(&b'0')) {
            return None;
        }
        self.0 = rest;
        T::try_from(value).ok()
    }

    /// An instant after 1970.
    pub(super) fn instant(&mut self) -> Option<UtcTime> {
        self.number().map(UtcTime)
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self) -> Option<bool> {
        if self.has("true") {
            return Some(true);
        }
        self.word("false").map(|()| false)
    }

    /// A string without escapes, from the first octet in its quotes to the last of them.
    #[inline]
    pub(super) fn string(&mut self) -> Option<&'a str> {
        let ends = |octet: &u8| *octet == b'"' || *octet == b'\\' || *octet < b' ';
        let (string, rest) = self.0.split_at_checked(self.0.iter().position(ends)?)?;
        self.0 = rest.strip_prefix(b"\"")?;
        str::from_utf8(string).ok()
    }

    /// An address in dotted decimal.
    #[inline]
    pub(super) fn address(&mut self) -> Option<Ipv4Addr> {
        let a = self.octet()?;
        self.word(".")?;
        let b = self.octet()?;
        self.word(".")?;
        let c = self.octet()?;
        self.word(".")?;
        let d = self.octet()?;
        Some(Ipv4Addr::new(a, b, c, d))
    }

    #[inline]
    fn octet(&mut self) -> Option<u8> {
        let digit = |octet: u8| u16::from(octet - b'0');
        let (value, rest) = match self.0 {
            [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
                (digit(*a) * 100 + digit(*b) * 10 + digit(*c), rest)
            }
            [a @ b'1'..=b'9', b @ b'0'..=b'9', rest @ ..] => (digit(*a) * 10 + digit(*b), rest),
            [a @ b'0'..=b'9', rest @ ..] => (digit(*a), rest),
            _ => return None,
        };
        self.0 = rest;
        u8::try_from(value).ok()
    }

    /// An address and a port, and the quote behind them.
    pub(super) fn socket(&mut self) -> Option<SocketAddrV4> {
        let address = self.address()?;
        self.word(":")?;
        let port = self.number()?;
        self.word("\"")?;
        Some(SocketAddrV4::new(address, port))
    }

    /// A network access identifier, and the quote behind it.
    pub(super) fn nai(&mut self) -> Option<Nai> {
        Nai::new(self.string()?).ok()
    }

    /// An identity, from brace to brace.
    pub(super) fn identity(&mut self) -> Option<Identity> {
        let identity = if self.has("{\"address\":\"") {
            let address = self.address()?;
            self.word("\"")?;
            Identity::Address(address)
        } else {
            self.word("{\"nai\":\"")?;
            Identity::Nai(self.nai()?)
        };
        self.word("}")?;
        Some(identity)
    }
}
