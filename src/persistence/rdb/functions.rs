//! Libraries of functions, as snapshots and FUNCTION DUMP lay them out: for each a byte and its code.

use bytes::Bytes;

use super::{Reader, VERSION, Writer, checked, signed};

/// What a library begins with.
const LIBRARY: u8 = 245;
/// What it began with before 7.0 was finished.
const EARLY_LIBRARY: u8 = 246;

/// Writes libraries.
pub fn write_functions(writer: &mut Writer, codes: &[Bytes]) {
    for code in codes {
        writer.raw(&[LIBRARY]);
        writer.string(code);
    }
}

/// Libraries with version and checksum, as FUNCTION DUMP gives them.
pub fn dump_functions(codes: &[Bytes], packs: bool) -> Vec<u8> {
    let mut writer = Writer::new(packs);
    write_functions(&mut writer, codes);
    signed(writer.into_bytes(), VERSION)
}

/// The codes in a dump. The error is what Redis says of it.
pub fn read_functions(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let (_, bytes) = checked(payload, true).ok_or("DUMP payload version or checksum are wrong")?;
    let mut reader = Reader::new(bytes);
    let mut codes = Vec::new();
    while reader.left() > 0 {
        match reader.byte() {
            Ok(LIBRARY) => {}
            Ok(EARLY_LIBRARY) => return Err("Pre-GA function format not supported"),
            Ok(_) => return Err("given type is not a function"),
            Err(_) => return Err("can not read data type"),
        }
        let code = reader.string();
        let code = code.map_err(|_| "failed loading the given functions payload")?;
        codes.push(code.into_owned());
    }
    Ok(codes)
}
