//! What the fuzz targets have in common.

mod decoders;

/// Runs the decoder of that name.
///
/// # Panics
///
/// When there is none, and when the decoder breaks its word, which is what a fuzzer looks for.
pub fn run(name: &str, octets: &[u8]) {
    let decoder = decoders::DECODERS.iter().find(|(known, _)| *known == name);
    let (_, decode) = decoder.expect("a decoder of that name");
    decode(octets);
}
