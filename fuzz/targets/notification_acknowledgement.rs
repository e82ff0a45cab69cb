//! Fuzzes one decoder of `wire`; see `fuzz::decoders`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::run("notification_acknowledgement", octets));
