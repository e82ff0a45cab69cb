//! Where the golden files and the seeds of the fuzzers lie.

use std::path::{Path, PathBuf};

/// Holds octets to a golden file; `UPDATE_GOLDENS=1` writes it anew.
pub(crate) fn golden(name: &str, octets: &[u8]) {
    let text = to_hex(octets);
    let path = goldens().join(format!("{name}.hex"));
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, want, "{} (UPDATE_GOLDENS=1 writes it)", path.display());
}

/// The folder of the golden files.
pub(crate) fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")
}

/// Lines of sixteen octets, for people and for `text2pcap`.
fn to_hex(octets: &[u8]) -> String {
    let line = |line: &[u8]| {
        let words: Vec<String> = line.iter().map(|octet| format!("{octet:02x}")).collect();
        words.join(" ") + "\n"
    };
    octets.chunks(16).map(line).collect()
}

/// The octets of a golden file.
pub(crate) fn read_golden(path: &Path) -> Vec<u8> {
    let text = std::fs::read_to_string(path).unwrap();
    text.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

/// The folder of the fuzz targets and of their corpus.
pub(crate) fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}
