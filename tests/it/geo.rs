//! Places: what they are, how far apart, and which lie within an area.

use crate::common::{Reply, Server, array, bulk, check, error, integer, ok};

fn bulks(words: &str) -> Reply {
    array(words.split_whitespace().map(bulk))
}

fn sicily(rows: &[(&str, Reply)]) {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.ask("GEOADD s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    check(&mut raw, rows);
}

#[test]
fn places_are_scores() {
    sicily(&[
        ("ZSCORE s Palermo", bulk("3479099956230698")),
        ("GEOADD s NX 1 1 Palermo", integer(0)),
        (
            "GEOADD s CH 13.361389 38.115556 Palermo 2 2 new",
            integer(1),
        ),
        (
            "GEOHASH s Palermo nowhere",
            array([bulk("sqc8b49rny0"), Reply::NullBulk]),
        ),
        ("GEODIST s Palermo Catania", bulk("166274.1516")),
        ("GEODIST s Palermo Catania km", bulk("166.2742")),
        ("GEODIST s Palermo nowhere", Reply::NullBulk),
        (
            "GEOPOS s Palermo",
            array([bulks("13.36138933897018433 38.11555639549629859")]),
        ),
        (
            "GEOADD s 200 10 x",
            error("ERR invalid longitude,latitude pair 200.000000,10.000000"),
        ),
        (
            "GEOADD s 10 10",
            error("ERR wrong number of arguments for 'geoadd' command"),
        ),
        ("GEOADD s NX XX 1 1 x", error("ERR syntax error")),
        (
            "GEODIST s Palermo Catania yd",
            error("ERR unsupported unit provided. please use M, KM, FT, MI"),
        ),
    ]);
}

#[test]
fn areas_hold_places() {
    sicily(&[
        (
            "GEOADD s 12.758489 38.788135 edge1 17.241510 38.788135 edge2",
            integer(2),
        ),
        (
            "GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km ASC",
            bulks("Catania Palermo"),
        ),
        (
            "GEOSEARCH s FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 3",
            bulks("Catania Palermo edge2"),
        ),
        (
            "GEOSEARCH s FROMMEMBER Palermo BYRADIUS 1 m WITHDIST WITHHASH",
            array([array([
                bulk("Palermo"),
                bulk("0.0000"),
                integer(3_479_099_956_230_698),
            ])]),
        ),
        (
            "GEOSEARCH s BYPOLYGON 4 13 37 17.5 37 17.5 39 13 39 ASC",
            bulks("Catania Palermo edge2"),
        ),
        (
            "GEOSEARCH s FROMMEMBER Palermo BYPOLYGON 3 13 37 17.5 37 13 39 WITHDIST ASC",
            array([
                array([bulk("Palermo"), bulk("0.0000")]),
                array([bulk("Catania"), bulk("166274.1516")]),
            ]),
        ),
        (
            "GEOSEARCHSTORE t s BYPOLYGON 3 13 37 17.5 37 13 39 STOREDIST",
            integer(2),
        ),
        ("GEORADIUS s 15 37 200 km DESC", bulks("Palermo Catania")),
        ("GEORADIUSBYMEMBER_RO s Catania 100 mi", bulks("Catania")),
        (
            "GEOSEARCHSTORE t s FROMLONLAT 15 37 BYRADIUS 200 km",
            integer(2),
        ),
        ("ZCARD t", integer(2)),
        ("GEORADIUS s 15 37 200 km STOREDIST d", integer(2)),
        ("ZRANGE d 0 -1", bulks("Catania Palermo")),
        (
            "GEOSEARCHSTORE t nothing FROMLONLAT 15 37 BYRADIUS 1 km",
            integer(0),
        ),
        ("EXISTS t", integer(0)),
    ]);
}

#[test]
fn searches_that_make_no_sense_are_refused() {
    sicily(&[
        (
            "GEOSEARCH s BYRADIUS 1 km WITHDIST ASC",
            error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH"),
        ),
        (
            "GEOSEARCH s FROMLONLAT 1 1 ASC DESC",
            error("ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH"),
        ),
        (
            "GEOSEARCH s BYPOLYGON 2 1 1 2 2",
            error("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices"),
        ),
        (
            "GEOSEARCH s BYPOLYGON 9223372036854775807 1 1 2 2 3 3",
            error("ERR syntax error"),
        ),
        (
            "GEOSEARCH s BYPOLYGON 3 1 1 2 2 3 3 FROMLONLAT 1 1 BYRADIUS 1 km",
            error("ERR syntax error"),
        ),
        (
            "GEOSEARCH s BYPOLYGON 3 1 1 2 2 300 3",
            error("ERR invalid longitude,latitude pair 300.000000,3.000000"),
        ),
        (
            "GEOSEARCH s FROMMEMBER nowhere BYRADIUS 1 km",
            error("ERR could not decode requested zset member"),
        ),
        (
            "GEOSEARCH s FROMLONLAT 1 1 BYRADIUS -1 km",
            error("ERR radius cannot be negative"),
        ),
        (
            "GEOSEARCH s FROMLONLAT 1 1 BYRADIUS 1 km ANY",
            error("ERR the ANY argument requires COUNT argument"),
        ),
        (
            "GEORADIUS s 1 1 1 km STORE t WITHDIST",
            error(
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            ),
        ),
        ("SET text x", ok()),
        (
            "GEOSEARCH text FROMLONLAT 1 1 BYRADIUS 1 km",
            error("WRONGTYPE Operation against a key holding the wrong kind of value"),
        ),
    ]);
}
