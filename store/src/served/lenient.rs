//! Takes the `:authority` that `etcdctl` sends over a Unix socket.
//!
//! Clients of etcd 3.4 name the server by the path of its socket, or by the whole endpoint
//! (`endpoint status`: `unix://store.sock`), which is no authority as HTTP has it (RFC 9113
//! §8.3.1), so that the transport refuses the request. Nothing here looks at the name: who asks is
//! known from the kernel. So what cannot be read as an authority is overwritten with letters, in
//! place.
//!
//! A header is a string of octets in a block that is compressed with a state on both sides (HPACK,
//! RFC 7541). The replacement has as many octets in the block *and* as many characters, so that
//! lengths of frames and the sizes of both tables stay as the client has them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tonic::codegen::http::uri::Authority;
use tonic::transport::server::Connected;

/// What a client says first (RFC 9113 §3.4).
const PREFACE: usize = 24;
const FRAME_HEADER: usize = 9;
const HEADERS: u8 = 1;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;
/// Longer frames than this the transport does not take anyway.
const FRAME_MAX: usize = 16_384;
/// `:authority` in the static table.
const AUTHORITY: usize = 1;

/// A connection whose client may name the server as it likes.
#[derive(Debug)]
pub(crate) struct Lenient<S> {
    inner: S,
    frames: Frames,
    /// What was read and may be handed on from `handed`.
    ready: Vec<u8>,
    handed: usize,
    /// One of the socket's places, given back with the connection.
    _place: Option<OwnedSemaphorePermit>,
}

impl<S> Lenient<S> {
    pub(crate) fn new(inner: S, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { inner, frames: Frames::default(), ready: Vec::new(), handed: 0, _place: place }
    }
}

impl<S: Connected> Connected for Lenient<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.inner.connect_info()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lenient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let waiting = this.ready.get(this.handed..).unwrap_or_default();
            if !waiting.is_empty() {
                let length = waiting.len().min(out.remaining());
                out.put_slice(waiting.get(..length).unwrap_or_default());
                this.handed += length;
                return Poll::Ready(Ok(()));
            }
            this.ready.clear();
            this.handed = 0;
            let mut octets = [0; FRAME_MAX];
            let mut buffer = ReadBuf::new(&mut octets);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                // The end: what is left of a frame is handed on as it is.
                this.ready.append(&mut this.frames.held);
                if this.ready.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
            this.frames.take(buffer.filled(), &mut this.ready);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lenient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, octets)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, octets)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

/// Finds the frames with headers in what a client sends.
#[derive(Debug)]
struct Frames {
    /// How many octets are of no interest: the preface, or what is left of a frame.
    passing: usize,
    /// The begin of a frame that is not complete; at most a header and [`FRAME_MAX`] octets.
    held: Vec<u8>,
}

impl Default for Frames {
    fn default() -> Self {
        Self { passing: PREFACE, held: Vec::new() }
    }
}

impl Frames {
    /// Takes the next octets of the client; what may be handed on goes to `out`.
    fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        loop {
            let (passing, more) = rest.split_at(self.passing.min(rest.len()));
            out.extend_from_slice(passing);
            self.passing -= passing.len();
            rest = more;
            if rest.is_empty() {
                return;
            }
            let wanted = self.wanted();
            let (part, more) =
                rest.split_at(wanted.saturating_sub(self.held.len()).min(rest.len()));
            self.held.extend_from_slice(part);
            rest = more;
            if self.held.len() == self.wanted() && self.held.len() >= FRAME_HEADER {
                self.finish(out);
            }
        }
    }

    /// How many octets have to be held before anything can be said.
    fn wanted(&self) -> usize {
        match frame(&self.held) {
            Some((HEADERS, _, length)) if length <= FRAME_MAX => FRAME_HEADER + length,
            Some(_) | None => FRAME_HEADER,
        }
    }

    /// Hands on the frame, or its header if that is all that is held.
    fn finish(&mut self, out: &mut Vec<u8>) {
        match frame(&self.held) {
            Some((HEADERS, flags, length)) if length <= FRAME_MAX => {
                if let Some(block) = fragment(flags, self.held.get_mut(FRAME_HEADER..)) {
                    mend(block);
                }
            }
            Some((_, _, length)) => self.passing = length,
            None => {}
        }
        out.append(&mut self.held);
    }
}

/// Type, flags and length of the frame that `octets` begin with.
fn frame(octets: &[u8]) -> Option<(u8, u8, usize)> {
    let [a, b, c, kind, flags, _, _, _, _, ..] = *octets else { return None };
    let length = u32::from_be_bytes([0, a, b, c]);
    Some((kind, flags, usize::try_from(length).ok()?))
}

/// The part of a HEADERS frame that is a block of headers (RFC 9113 §6.2).
fn fragment(flags: u8, payload: Option<&mut [u8]>) -> Option<&mut [u8]> {
    let mut payload = payload?;
    if flags & PADDED != 0 {
        let (padding, rest) = payload.split_first_mut()?;
        let end = rest.len().checked_sub(usize::from(*padding))?;
        payload = rest.get_mut(..end)?;
    }
    if flags & PRIORITY != 0 {
        payload = payload.get_mut(5..)?;
    }
    Some(payload)
}

/// Overwrites the authority in a block of headers (RFC 7541 §6), if HTTP does not take it.
///
/// What cannot be read is left to the transport, which says what is wrong.
fn mend(block: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while let Some(&first) = block.get(at) {
        let (bits, has_value) = match first {
            0x80.. => (7, false),      // Indexed.
            0x40..=0x7f => (6, true),  // With incremental indexing.
            0x20..=0x3f => (5, false), // The size of the table.
            0x00..=0x1f => (4, true),  // Without indexing, now or ever.
        };
        let (index, next) = integer(block, at, bits)?;
        at = next;
        if !has_value {
            continue;
        }
        if index == 0 {
            at = string(block, at)?.1;
        }
        let (value, next) = string(block, at)?;
        if index == AUTHORITY {
            let is_huffman = block.get(at)? & 0x80 != 0;
            mend_value(block.get_mut(value..next)?, is_huffman);
            return Some(());
        }
        at = next;
    }
    Some(())
}

/// An integer with a prefix of so many bits (RFC 7541 §5.1), and where it ends.
fn integer(block: &[u8], at: usize, bits: u32) -> Option<(usize, usize)> {
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(*block.get(at)?) & most;
    let mut at = at + 1;
    if value < most {
        return Some((value, at));
    }
    for shift in [0, 7, 14, 21] {
        let octet = usize::from(*block.get(at)?);
        at += 1;
        value = value.checked_add((octet & 0x7f) << shift)?;
        if octet & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

/// Where a string (RFC 7541 §5.2) begins after its length, and where it ends.
fn string(block: &[u8], at: usize) -> Option<(usize, usize)> {
    let (length, begin) = integer(block, at, 7)?;
    let end = begin.checked_add(length)?;
    (end <= block.len()).then_some((begin, end))
}

/// Overwrites a name that is no authority.
fn mend_value(value: &mut [u8], is_huffman: bool) -> Option<()> {
    if !is_huffman {
        if Authority::try_from(&*value).is_err() {
            value.fill(b'a');
        }
        return Some(());
    }
    let (characters, bits) = decode(value)?;
    if Authority::try_from(characters.as_slice()).is_err() {
        value.copy_from_slice(&filler(characters.len(), bits, value.len())?);
    }
    Some(())
}

/// The characters whose codes have 5, 6, 7 and 8 bits (RFC 7541 appendix B): the code of the
/// first, and the others in order. Longer codes are for characters that no path of ours has.
const CODES: [(u32, u32, &[u8]); 4] = [
    (5, 0x00, b"012aceiost"),
    (6, 0x14, b" %-./3456789=A_bdfghlmnpru"),
    (7, 0x5c, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, 0xf8, b"&*,;XZ"),
];

/// The characters of a string in Huffman code, and how many bits they take.
fn decode(octets: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut characters = Vec::new();
    let (mut code, mut length, mut bits) = (0_u32, 0, 0);
    for octet in octets {
        for place in (0..8).rev() {
            code = code << 1 | u32::from(octet >> place & 1);
            length += 1;
            let of_length = CODES.iter().find(|(bits, ..)| *bits == length);
            let found = of_length.and_then(|(_, first, all)| {
                let place = usize::try_from(code.checked_sub(*first)?).ok()?;
                all.get(place)
            });
            if let Some(character) = found {
                characters.push(*character);
                bits += usize::try_from(length).ok()?;
                (code, length) = (0, 0);
            } else if length > 8 {
                return None;
            }
        }
    }
    // What is left is the begin of a code of ones alone: padding.
    (code + 1 == 1 << length && length < 8).then_some((characters, bits))
}

/// So many letters that take so many bits, in Huffman code of so many octets.
fn filler(characters: usize, bits: usize, octets: usize) -> Option<Vec<u8>> {
    let mut spare = bits.checked_sub(5 * characters)?;
    let mut filled = Vec::with_capacity(octets);
    let (mut held, mut held_bits) = (0_u32, 0_u32);
    let mut push = |code: u32, length: u32| {
        held = held << length | code;
        held_bits += length;
        while held_bits >= 8 {
            held_bits -= 8;
            filled.push(u8::try_from(held >> held_bits & 0xff).unwrap_or(0));
        }
        held &= (1 << held_bits) - 1;
        held_bits
    };
    let mut left = 0;
    for _ in 0..characters {
        // `a`, `b`, `j` and `X` are characters of an authority.
        let (length, code) = match spare {
            0 => (5, 0x03),
            1 => (6, 0x23),
            2 => (7, 0x74),
            _ => (8, 0xfc),
        };
        spare = spare.saturating_sub(3.min(spare));
        left = push(code, length);
    }
    if left > 0 {
        push((1 << (8 - left)) - 1, 8 - left);
    }
    (spare == 0 && filled.len() == octets).then_some(filled)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Huffman code of `text`, by the table above.
    fn encode(text: &str) -> Vec<u8> {
        let mut bits = String::new();
        for character in text.bytes() {
            let (length, first, place) = CODES
                .iter()
                .find_map(|(length, first, all)| {
                    let place = all.iter().position(|other| *other == character)?;
                    Some((*length, *first, u32::try_from(place).unwrap()))
                })
                .unwrap();
            let width = usize::try_from(length).unwrap();
            write!(bits, "{:0width$b}", first + place).unwrap();
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        let octets = bits.as_bytes().chunks(8);
        octets.map(|octet| u8::from_str_radix(str::from_utf8(octet).unwrap(), 2).unwrap()).collect()
    }

    #[test]
    fn huffman_code_is_that_of_the_examples() {
        // RFC 7541 §C.4.1.
        let example = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(encode("www.example.com"), example);
        assert_eq!(decode(&example).unwrap().0, b"www.example.com");
        assert_eq!(decode(&[0xff, 0xff]), None, "padding of more than seven bits");
        assert_eq!(decode(&[0x00]), None, "padding of zeros");
    }

    #[test]
    fn what_is_no_authority_is_replaced_by_as_many_octets_and_characters() {
        let names =
            ["unix://store.sock", "/run/mip4/store.sock", "/", "//", "/tmp/XXZZ;;**,,&&", ""];
        for name in names {
            let mut plain = name.as_bytes().to_vec();
            mend_value(&mut plain, false);
            assert!(Authority::try_from(&plain[..]).is_ok() || name.is_empty(), "{plain:?}");
            assert_eq!(plain.len(), name.len());
            let mut coded = encode(name);
            let length = coded.len();
            mend_value(&mut coded, true);
            let (characters, _) = decode(&coded).unwrap();
            assert_eq!((coded.len(), characters.len()), (length, name.len()), "{name}");
            assert!(Authority::try_from(&characters[..]).is_ok() || name.is_empty(), "{name}");
        }
        let mut good = encode("store.sock");
        mend_value(&mut good, true);
        assert_eq!(good, encode("store.sock"), "what is right stays");
    }

    /// A connection's first octets: preface, settings, and headers with that authority.
    fn octets(authority: &[u8], is_huffman: bool, padded: bool) -> Vec<u8> {
        let mark = if is_huffman { 0x80 } else { 0 };
        let length = mark | u8::try_from(authority.len()).unwrap();
        let mut block = vec![0x83, 0x86, 0x04, 2, b'/', b'x', 0x41, length];
        block.extend_from_slice(authority);
        block.extend_from_slice(&[0x40, 1, b'n', 1, b'v']);
        let mut payload = Vec::new();
        if padded {
            payload.push(3);
        }
        payload.extend_from_slice(&block);
        payload.extend(std::iter::repeat_n(0, if padded { 3 } else { 0 }));
        let mut all = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        all.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        let flags = 4 | if padded { PADDED } else { 0 };
        all.extend_from_slice(&[
            0,
            0,
            u8::try_from(payload.len()).unwrap(),
            HEADERS,
            flags,
            0,
            0,
            0,
            1,
        ]);
        all.extend_from_slice(&payload);
        all.extend_from_slice(&[0, 0, 3, 0, 1, 0, 0, 0, 1, b'/', b'/', b'/']);
        all
    }

    fn through(octets: &[u8], step: usize) -> Vec<u8> {
        let mut frames = Frames::default();
        let mut out = Vec::new();
        for part in octets.chunks(step) {
            frames.take(part, &mut out);
        }
        out.append(&mut frames.held);
        out
    }

    #[test]
    fn only_the_authority_changes_however_the_octets_arrive() {
        for padded in [false, true] {
            for (is_huffman, wrong, right) in [
                (false, b"unix://s".to_vec(), b"aaaaaaaa".to_vec()),
                (true, encode("/s"), filler(2, 11, 2).unwrap()),
            ] {
                let want = octets(&right, is_huffman, padded);
                for step in [1, 2, 7, 40, 1000] {
                    assert_eq!(through(&octets(&wrong, is_huffman, padded), step), want, "{step}");
                    assert_eq!(through(&want, step), want, "what is right stays");
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn anything_passes_with_its_length(
            octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
            step in 1_usize..50,
        ) {
            let mut all = vec![0; PREFACE];
            all.extend_from_slice(&[0, 0, 200, HEADERS, 0x28, 0, 0, 0, 1]);
            all.extend_from_slice(&octets);
            proptest::prop_assert_eq!(through(&all, step).len(), all.len());
            mend(&mut all.clone());
        }
    }
}
