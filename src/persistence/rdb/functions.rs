//! Libraries of functions, as snapshots and FUNCTION DUMP lay them out: for each a byte and its code.

use bytes::Bytes;

use super::opcode as code;
use super::{Reader, VERSION, Writer, checked, signed};

/// Writes a library.
pub(super) fn write_library(writer: &mut Writer, library: &[u8]) {
    writer.raw(&[code::FUNCTION]);
    writer.string(library);
}

/// Libraries with version and checksum, as FUNCTION DUMP gives them.
pub fn dump_functions(codes: &[Bytes], packs: bool) -> Vec<u8> {
    let mut writer = Writer::new(packs);
    for library in codes {
        write_library(&mut writer, library);
    }
    signed(writer.into_bytes(), VERSION)
}

/// The codes in a dump. The error is what Redis says of it.
pub fn read_functions(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let (_, bytes) = checked(payload, true).ok_or("DUMP payload version or checksum are wrong")?;
    let mut reader = Reader::new(bytes);
    let mut codes = Vec::new();
    while reader.left() > 0 {
        match reader.byte() {
            Ok(code::FUNCTION) => {}
            Ok(code::FUNCTION_EARLY) => return Err("Pre-GA function format not supported"),
            Ok(_) => return Err("given type is not a function"),
            Err(_) => return Err("can not read data type"),
        }
        let code = reader.string();
        let code = code.map_err(|_| "failed loading the given functions payload")?;
        codes.push(code.into_owned());
    }
    Ok(codes)
}
