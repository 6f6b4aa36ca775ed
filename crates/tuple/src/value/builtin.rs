//! The types that PostgreSQL comes with: how they are stored, and how they print. OIDs and layouts:
//! `src/include/catalog/pg_type.dat`; they are the same in all versions.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::array::{array, vector};
use super::datetime::{date, interval, time, time_with_zone, timestamp};
use super::hex;
use super::jsonb::jsonb;
use super::numeric::{double, numeric, real};
use crate::bytes::{i32_at, i64_at, u16_at, u32_at, u64_at};
use crate::row::{Alignment, ColumnLayout};

/// OIDs of array types; their elements' type is in each value.
const ARRAYS: [u32; 35] = [
    143, 199, 271, 651, 1000, 1001, 1002, 1003, 1005, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 1015, 1016, 1021, 1022,
    1028, 1040, 1041, 1115, 1182, 1183, 1185, 1187, 1231, 1270, 1561, 1563, 2951, 3221, 3807,
];

/// How a value of a type is stored; `None` if the type is not known here.
pub(super) fn layout(type_oid: u32) -> Option<ColumnLayout> {
    let fixed = |bytes, alignment| Some(ColumnLayout::Fixed { bytes, alignment });
    match type_oid {
        16 | 18 => fixed(1, Alignment::Char),
        21 => fixed(2, Alignment::Short),
        23 | 24 | 26 | 28 | 29 | 700 | 1082 => fixed(4, Alignment::Int),
        27 => fixed(6, Alignment::Short),
        829 => fixed(6, Alignment::Int),
        20 | 701 | 1083 | 1114 | 1184 | 3220 | 5069 => fixed(8, Alignment::Double),
        1266 => fixed(12, Alignment::Double),
        1186 => fixed(16, Alignment::Double),
        2950 => fixed(16, Alignment::Char),
        19 => fixed(64, Alignment::Char),
        17 | 25 | 114 | 142 | 650 | 869 | 1042 | 1043 | 1560 | 1562 | 1700 | 3802 => {
            Some(ColumnLayout::Varlena { alignment: Alignment::Int })
        }
        _ => None,
    }
}

/// The bytes of a value as its type prints it; `None` if the type is not known here, or they are no value of it.
pub(super) fn text(type_oid: u32, bytes: &[u8]) -> Option<String> {
    Some(match type_oid {
        16 => if *bytes.first()? == 0 { "f" } else { "t" }.to_owned(),
        17 => format!("\\x{}", hex(bytes)),
        18 => character(*bytes.first()?),
        19 => utf8(bytes.split(|byte| *byte == 0).next()?)?,
        20 => i64_at(bytes, 0)?.to_string(),
        21 => u16_at(bytes, 0)?.cast_signed().to_string(),
        22 | 30 => vector(bytes)?,
        23 => i32_at(bytes, 0)?.to_string(),
        26 | 28 | 29 => u32_at(bytes, 0)?.to_string(),
        27 => format!("({},{})", u32::from(u16_at(bytes, 0)?) << 16 | u32::from(u16_at(bytes, 2)?), u16_at(bytes, 4)?),
        25 | 114 | 142 | 1042 | 1043 => utf8(bytes)?,
        650 | 869 => network(bytes, type_oid == 650)?,
        700 => real(f32::from_bits(u32_at(bytes, 0)?)),
        701 => double(f64::from_bits(u64_at(bytes, 0)?)),
        829 => bytes.get(..6)?.iter().map(|byte| hex(&[*byte])).collect::<Vec<_>>().join(":"),
        1082 => date(i32_at(bytes, 0)?),
        1083 => time(i64_at(bytes, 0)?),
        1114 => timestamp(i64_at(bytes, 0)?, ""),
        1184 => timestamp(i64_at(bytes, 0)?, "+00"),
        1186 => interval(i64_at(bytes, 0)?, i32_at(bytes, 8)?, i32_at(bytes, 12)?),
        1266 => time_with_zone(i64_at(bytes, 0)?, i32_at(bytes, 8)?),
        1560 | 1562 => bits(bytes)?,
        1700 => numeric(bytes)?,
        2950 => uuid(bytes)?,
        3220 => u64_at(bytes, 0).map(|lsn| format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF))?,
        3802 => jsonb(bytes)?,
        5069 => u64_at(bytes, 0)?.to_string(),
        _ if ARRAYS.contains(&type_oid) => array(bytes)?,
        _ => return None,
    })
}

fn utf8(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(ToOwned::to_owned)
}

/// A `"char"`: nothing for zero, octal above ASCII (`charout` since 16).
fn character(byte: u8) -> String {
    match byte {
        0 => String::new(),
        0x80.. => format!("\\{byte:03o}"),
        ascii => char::from(ascii).to_string(),
    }
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let digits = hex(bytes.get(..16)?);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    Some(parts.map(|part| digits.get(part).unwrap_or_default()).join("-"))
}

/// A `bit` or `varbit`: how many bits, then they.
fn bits(bytes: &[u8]) -> Option<String> {
    let count = usize::try_from(i32_at(bytes, 0)?).ok()?;
    let data = bytes.get(4..)?;
    if count > 8 * data.len() {
        return None;
    }
    Some((0..count).map(|index| if data[index / 8] & 0x80 >> (index % 8) == 0 { '0' } else { '1' }).collect())
}

/// An `inet` or `cidr`: family, length of the mask, address (src/include/utils/inet.h).
fn network(bytes: &[u8], is_cidr: bool) -> Option<String> {
    let (family, mask, address) = (*bytes.first()?, *bytes.get(1)?, bytes.get(2..)?);
    let (address, whole) = match family {
        2 => (Ipv4Addr::from(*address.first_chunk::<4>()?).to_string(), 32),
        3 => (Ipv6Addr::from(*address.first_chunk::<16>()?).to_string(), 128),
        _ => return None,
    };
    Some(if is_cidr || mask != whole { format!("{address}/{mask}") } else { address })
}
