use super::*;
use crate::value::Value;

fn tlv(octets: &[u8]) -> Result<Tlv<'_>, Malformed> {
    Reader::new(octets).tlv()
}

#[test]
fn every_strict_prefix_is_malformed() {
    let whole = [0x30, 0x82, 0, 5, 2, 1, 7, 5, 0];
    assert_eq!(tlv(&whole).unwrap().content, [2, 1, 7, 5, 0]);
    for end in 0..whole.len() {
        assert_eq!(tlv(&whole[..end]), Err(Malformed));
    }
}

#[test]
fn lengths_need_not_be_minimal_but_definite() {
    assert_eq!(tlv(&[4, 0x83, 0, 0, 1, 9]).unwrap().content, [9]);
    assert_eq!(tlv(&[0x30, 0x80, 5, 0, 0, 0]), Err(Malformed));
    assert_eq!(tlv(&[4, 0x85, 0, 0, 0, 0, 1, 9]), Err(Malformed));
    assert_eq!(tlv(&[4, 0xff, 1]), Err(Malformed));
    assert_eq!(tlv(&[4, 0x84, 0xff, 0xff, 0xff, 0xff, 1]), Err(Malformed));
    assert_eq!(tlv(&[0x1f, 1, 1]), Err(Malformed));
}

#[test]
fn integers_are_32_bits_wide() {
    assert_eq!(integer32(&[0xff]), Ok(-1));
    assert_eq!(integer32(&[0x7f, 0xff, 0xff, 0xff]), Ok(i32::MAX));
    assert_eq!(integer32(&[0x80, 0, 0, 0]), Ok(i32::MIN));
    assert_eq!(integer32(&[0, 0, 5]), Ok(5));
    assert_eq!(integer32(&[0, 0xff, 0xff, 0xff, 0xff]), Err(Malformed));
    assert_eq!(integer32(&[1; 9]), Err(Malformed));
    assert_eq!(integer32(&[]), Err(Malformed));
}

#[test]
fn unsigned_values_may_lack_the_zero_in_front() {
    assert_eq!(unsigned(&[0xff], 4), Ok(255));
    assert_eq!(unsigned(&[0xff; 4], 4), Ok(u32::MAX.into()));
    assert_eq!(unsigned(&[0, 0xff, 0xff, 0xff, 0xff], 4), Ok(u32::MAX.into()));
    assert_eq!(unsigned(&[1, 0, 0, 0, 0], 4), Err(Malformed));
    assert_eq!(unsigned(&[0xff; 8], 8), Ok(u64::MAX));
    assert_eq!(unsigned(&[], 4), Err(Malformed));
}

#[test]
fn object_identifiers_are_bounded() {
    assert_eq!(object_identifier(&[0x2b, 6, 1]), Ok(()));
    assert_eq!(object_identifier(&[0x2b, 0x80, 1]), Ok(()), "not minimal");
    assert_eq!(object_identifier(&[0x2b, 0x81]), Err(Malformed), "cut short");
    assert_eq!(object_identifier(&[0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f]), Ok(()));
    assert_eq!(object_identifier(&[0x2b, 0x90, 0x80, 0x80, 0x80, 0]), Err(Malformed));
    assert_eq!(object_identifier(&[1; 127]), Ok(()), "128 sub-identifiers");
    assert_eq!(object_identifier(&[1; 128]), Err(Malformed));
}

/// What the writer makes of one variable, read by `rasn`.
fn through_rasn(name: &[u32], value: &Value) -> rasn_snmp::v2::VarBind {
    let mut writer = Writer::default();
    writer.clear();
    writer.append_variable(name, value);
    rasn::ber::decode(writer.octets()).unwrap()
}

#[test]
fn values_are_what_rasn_reads() {
    use rasn_smi::v2::{ApplicationSyntax as App, ObjectSyntax as Syntax, SimpleSyntax as Simple};
    use rasn_snmp::v2::VarBindValue::Value as Is;
    let name = [1, 3, 6, 1, 4, 1, 8072, 9999, 9999, u32::MAX];
    let read = |value: Value| {
        let binding = through_rasn(&name, &value);
        assert_eq!(binding.name[..], name[..]);
        binding.value
    };
    for number in [0, 1, -1, 127, 128, -128, -129, 32768, i32::MAX, i32::MIN] {
        let want = Is(Syntax::Simple(Simple::Integer(number.into())));
        assert_eq!(read(Value::Integer32(number)), want);
    }
    for number in [0, 127, 128, 255, 65_535, 1 << 31, u32::MAX] {
        let want = Is(Syntax::ApplicationWide(App::Counter(rasn_smi::v1::Counter(number))));
        assert_eq!(read(Value::Counter32(number)), want);
        let want = Is(Syntax::ApplicationWide(App::Unsigned(rasn_smi::v1::Gauge(number))));
        assert_eq!(read(Value::Gauge32(number)), want);
        let want = Is(Syntax::ApplicationWide(App::Ticks(rasn_smi::v1::TimeTicks(number))));
        assert_eq!(read(Value::TimeTicks(number)), want);
    }
    for number in [0, 1 << 31, 1 << 63, u64::MAX, u64::MAX >> 1] {
        let want = Is(Syntax::ApplicationWide(App::BigCounter(rasn_smi::v2::Counter64(number))));
        assert_eq!(read(Value::Counter64(number)), want);
    }
    for len in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
        let octets = vec![0x5a; len];
        let want = Is(Syntax::Simple(Simple::String(octets.clone().into())));
        assert_eq!(read(Value::octets(octets)), want);
    }
}

#[test]
fn headers_go_in_front_however_long() {
    let mut writer = Writer::default();
    writer.clear();
    writer.append(&[5, 0]);
    writer.prepend(&[7; 5000]);
    writer.prepend_integer(-129);
    writer.wrap(tag::SEQUENCE, 2);
    assert_eq!(writer.octets()[..8], [0x30, 0x82, 0x13, 0x8c, 2, 2, 0xff, 0x7f]);
    assert_eq!(writer.len(), 5000 + 8 + 2);
    writer.truncate(4);
    assert_eq!(writer.octets(), [0x30, 0x82, 0x13, 0x8c]);
}

#[test]
fn zero_dot_zero_is_one_octet() {
    let mut writer = Writer::default();
    for name in [&[][..], &[0], &[0, 0]] {
        writer.clear();
        writer.append_empty(name, tag::NULL);
        assert_eq!(writer.octets(), [0x30, 5, 6, 1, 0, 5, 0]);
    }
}

#[test]
fn names_of_every_length_are_what_rasn_reads() {
    let sizes = [0, 1, 0x7f, 0x80, 0xff, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000, u32::MAX];
    for start in 0..sizes.len() {
        for len in 2..=128 {
            let rest = sizes.iter().cycle().skip(start).take(len - 2);
            let name: Vec<u32> = [1, 3].iter().chain(rest).copied().collect();
            let mut writer = Writer::default();
            writer.clear();
            writer.append_empty(&name, tag::NULL);
            let read: rasn_snmp::v2::VarBind = rasn::ber::decode(writer.octets()).unwrap();
            assert_eq!(read.name.to_vec(), name);
        }
    }
}
