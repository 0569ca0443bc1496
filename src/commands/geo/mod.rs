//! Places on the earth, kept in sorted sets: a place is the score of its member. The commands stand in `table`; start with
//! `search`.

mod places;
mod search;
mod table;

pub use table::COMMANDS;

use super::sorted_set::parse_score;
use crate::base::numbers::parse_f64;
use crate::engine::CommandError;
use crate::resp::reply::Reply;
use crate::structures::geo::Point;

fn parse_point(longitude: &[u8], latitude: &[u8]) -> Result<Point, CommandError> {
    let point = Point {
        longitude: parse_score(longitude)?,
        latitude: parse_score(latitude)?,
    };
    if point.is_valid() {
        return Ok(point);
    }
    Err(CommandError::message(format!(
        "ERR invalid longitude,latitude pair {:.6},{:.6}",
        point.longitude, point.latitude
    )))
}

/// Metres in a unit.
fn parse_unit(text: &[u8]) -> Result<f64, CommandError> {
    match text.to_ascii_lowercase().as_slice() {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => Err(CommandError::text(
            "ERR unsupported unit provided. please use M, KM, FT, MI",
        )),
    }
}

fn parse_length(text: &[u8], error: &'static str) -> Result<f64, CommandError> {
    parse_f64(text).ok_or_else(|| CommandError::text(error))
}

/// Writes a distance: always four digits behind the point.
fn reply_distance(reply: &mut Reply, distance: f64) {
    // Whole ten-thousandths, halves to the even one.
    let scaled = (distance * 1e4).round_ties_even() as i64;
    let (sign, scaled) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
    let text = format!("{sign}{}.{:04}", scaled / 10_000, scaled % 10_000);
    reply.bulk(text.as_bytes());
}

/// Writes a place as an array of two.
fn reply_point(reply: &mut Reply, point: Point) {
    reply.array(2);
    reply.fixed_double(point.longitude);
    reply.fixed_double(point.latitude);
}
