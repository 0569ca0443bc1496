//! The family's commands.

use super::{places, search};
use crate::engine::{Begin, Command, Find, Group, Handler, KeySpec, flags::*, one_key};

/// Read.
const READ: &[KeySpec] = &[one_key(1, &["RO", "access"])];

/// Behind a word, searched from an argument on.
const fn stored_behind(word: &'static str, from: i32) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword(word, from),
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        flags: &["OW", "update", "incomplete"],
    }
}

const fn command(name: &'static str, syntax: &'static str, handler: Handler) -> Command {
    Command::new(name, Group::Geo, syntax, handler)
}

/// The family.
pub const COMMANDS: &[Command] = &[
    command("GEOADD", "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]", places::geoadd)
        .elements(4, 3)
        .keys(&[one_key(1, &["RW", "update"])])
        .flags(WRITE | DENYOOM)
        .docs("3.2.0", "O(log(N)) for each member, N being the members of the set", "Adds members with their places, or moves them."),
    command("GEODIST", "key member1 member2 [M | KM | FT | MI]", places::geodist)
        .elements(2, 1)
        .keys(READ)
        .flags(READONLY)
        .docs("3.2.0", "O(1)", "Tells how far two members are from each other."),
    command("GEOHASH", "key [member [member ...]]", places::geohash)
        .elements(2, 1)
        .keys(READ)
        .flags(READONLY)
        .docs("3.2.0", "O(1) for each member asked for", "Gives the places of members as geohashes of 11 letters."),
    command("GEOPOS", "key [member [member ...]]", places::geopos)
        .elements(2, 1)
        .keys(READ)
        .flags(READONLY)
        .docs("3.2.0", "O(1) for each member asked for", "Gives the places of members as longitude and latitude."),
    command("GEORADIUS", "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]", search::georadius)
        .keys(&[one_key(1, &["RO", "access"]), stored_behind("STORE", 6), stored_behind("STOREDIST", 6)])
        .flags(WRITE | DENYOOM | MOVABLE_KEYS)
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")
        .docs("3.2.0", "O(N+log(M)), N being the members around the circle and M those of the set", "Gives or stores the members within a circle around a place."),
    command("GEORADIUSBYMEMBER", "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]", search::georadiusbymember)
        .keys(&[one_key(1, &["RO", "access"]), stored_behind("STORE", 5), stored_behind("STOREDIST", 5)])
        .flags(WRITE | DENYOOM | MOVABLE_KEYS)
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .docs("3.2.0", "O(N+log(M)), N being the members around the circle and M those of the set", "Gives or stores the members within a circle around a member."),
    command("GEORADIUSBYMEMBER_RO", "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]", search::georadiusbymember_ro)
        .keys(READ)
        .flags(READONLY)
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .docs("3.2.10", "O(N+log(M)), N being the members around the circle and M those of the set", "Gives the members within a circle around a member."),
    command("GEORADIUS_RO", "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]", search::georadius_ro)
        .keys(READ)
        .flags(READONLY)
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")
        .docs("3.2.10", "O(N+log(M)), N being the members around the circle and M those of the set", "Gives the members within a circle around a place."),
    command("GEOSEARCH", "key [FROMMEMBER member | FROMLONLAT longitude latitude] <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI> | BYPOLYGON num-vertices longitude latitude [longitude latitude ...]> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]", search::geosearch)
        .arity(-7)
        .keys(READ)
        .flags(READONLY)
        .docs("6.2.0", "O(N+log(M)), N being the members around the area and M those of the set", "Gives the members within a circle, a rectangle or a polygon."),
    command("GEOSEARCHSTORE", "destination source [FROMMEMBER member | FROMLONLAT longitude latitude] <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI> | BYPOLYGON num-vertices longitude latitude [longitude latitude ...]> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]", search::geosearchstore)
        .arity(-8)
        .keys(&[one_key(1, &["OW", "update"]), one_key(2, &["RO", "access"])])
        .flags(WRITE | DENYOOM)
        .docs("6.2.0", "O(N+log(M)), N being the members around the area and M those of the set", "Stores the members within a circle, a rectangle or a polygon at another key."),
];
