//! Places: near each other, far apart, at the edges of the map, and areas of all sizes around them.

use super::generate::{Args, Generator, Single};

const KEYS: &[&[u8]] = &[b"g:0", b"g:1", b"g:2"];

const COMMANDS: &[Single] = &[
    geoadd,
    geoadd,
    geoadd,
    geoadd,
    |g| vec![g.word("GEODIST"), key(g), member(g), member(g)],
    |g| vec![g.word("GEODIST"), key(g), member(g), member(g), unit(g)],
    |g| [vec![g.word("GEOHASH"), key(g)], members(g)].concat(),
    |g| [vec![g.word("GEOPOS"), key(g)], members(g)].concat(),
    |g| search(g, "GEOSEARCH"),
    |g| search(g, "GEOSEARCH"),
    |g| search(g, "GEOSEARCH"),
    |g| search(g, "GEOSEARCHSTORE"),
    |g| radius(g, "GEORADIUS"),
    |g| radius(g, "GEORADIUS_RO"),
    |g| radius(g, "GEORADIUSBYMEMBER"),
    |g| radius(g, "GEORADIUSBYMEMBER_RO"),
    |g| vec![g.word("ZRANGE"), key(g), b"0".to_vec(), b"-1".to_vec()],
    |g| vec![g.word("ZREM"), key(g), member(g)],
    |g| vec![g.word("DEL"), key(g)],
    |g| vec![g.word("ZADD"), key(g), odd_score(g), member(g)],
];

pub fn any(g: &mut Generator) -> Args {
    g.pick(COMMANDS)(g)
}

pub fn is_key(key: &[u8]) -> bool {
    KEYS.contains(&key)
}

pub fn key(g: &mut Generator) -> Vec<u8> {
    match g.chance(96) {
        true => g.pick(KEYS).to_vec(),
        false => g.key(),
    }
}

fn member(g: &mut Generator) -> Vec<u8> {
    format!("p{}", g.below(60)).into_bytes()
}

fn members(g: &mut Generator) -> Args {
    let count = g.below(4);
    (0..count).map(|_| member(g)).collect()
}

fn unit(g: &mut Generator) -> Vec<u8> {
    let unit = g.pick(&["m", "km", "ft", "mi", "km", "m", "yd"]);
    g.word(unit)
}

fn odd_score(g: &mut Generator) -> Vec<u8> {
    g.pick(&["-1", "0", "1e300", "inf", "0.5", "4503599627370495", "-inf"])
        .into()
}

/// A longitude and a latitude: mostly near one of a few places.
fn place(g: &mut Generator) -> Args {
    let (longitude, latitude) = g.pick(&[
        (13.361, 38.115),
        (15.087, 37.502),
        (179.9, 0.0),
        (-179.9, 0.1),
        (0.0, 0.0),
        (10.0, 84.0),
        (-70.0, -82.0),
        (24.9, 60.2),
    ]);
    let spread = g.pick(&[1e-5, 1e-3, 0.5, 10.0]);
    let mut near = |value: f64| {
        let value = value + (g.below(2_001) as f64 - 1_000.0) / 1_000.0 * spread;
        format!("{value:.7}").into_bytes()
    };
    let mut place = vec![near(longitude), near(latitude)];
    if g.chance(3) {
        place[0] = g.float();
    }
    if g.chance(3) {
        place[1] = g
            .pick(&["85.05112878", "-85.05112878", "85.06", "180", "x", "inf"])
            .into();
    }
    place
}

fn geoadd(g: &mut Generator) -> Args {
    let mut args = vec![g.word("GEOADD"), key(g)];
    for option in g.some(&["NX", "XX", "CH", "CH"], 1) {
        args.push(g.word(option));
    }
    let count = g.pick(&[1, 2, 5, 40]);
    for _ in 0..count {
        args.extend(place(g));
        args.push(member(g));
    }
    if g.chance(3) {
        args.pop();
    }
    args
}

fn length(g: &mut Generator) -> Vec<u8> {
    match g.chance(95) {
        true => {
            let size = g.pick(&[0.5, 10.0, 500.0, 20_000.0, 400_000.0, 9e6, 3e7]);
            format!("{}", size * (1.0 + g.below(100) as f64 / 25.0)).into_bytes()
        }
        false => g.pick(&["-1", "x", "0", "inf", "nan"]).into(),
    }
}

/// Options that say which places are given, and what of them. Without an order there is none.
fn options(g: &mut Generator, args: &mut Args) {
    for option in g.some(&["WITHCOORD", "WITHDIST", "WITHHASH"], 3) {
        args.push(g.word(option));
    }
    if g.chance(40) {
        let order = g.pick(&["ASC", "DESC"]);
        args.push(g.word(order));
    }
    if g.chance(4) {
        args.extend([g.word("COUNT"), g.pick(&["0", "-1", "x"]).into()]);
    }
    if g.chance(25) {
        args.extend([g.word("COUNT"), (1 + g.below(70)).to_string().into_bytes()]);
        if g.chance(30) {
            args.push(g.word("ANY"));
        }
    }
    if g.chance(3) {
        let odd = g.pick(&["ANY", "FOO", "STORE", "STOREDIST"]);
        args.push(g.word(odd));
    }
}

fn search(g: &mut Generator, name: &str) -> Args {
    let mut args = vec![g.word(name)];
    if name == "GEOSEARCHSTORE" {
        args.push(key(g));
    }
    args.push(key(g));
    if g.chance(45) {
        args.extend([g.word("FROMMEMBER"), member(g)]);
    } else if g.chance(95) {
        args.push(g.word("FROMLONLAT"));
        args.extend(place(g));
    }
    if g.chance(50) {
        args.extend([g.word("BYRADIUS"), length(g), unit(g)]);
    } else if g.chance(95) {
        args.extend([g.word("BYBOX"), length(g), length(g), unit(g)]);
    }
    let at = args.len();
    options(g, &mut args);
    if name == "GEOSEARCHSTORE" {
        without_details(g, &mut args, at);
        if g.chance(50) {
            args.push(g.word("STOREDIST"));
        }
    }
    args
}

fn radius(g: &mut Generator, name: &str) -> Args {
    let mut args = vec![g.word(name), key(g)];
    match name.contains("MEMBER") {
        true => args.push(member(g)),
        false => args.extend(place(g)),
    }
    args.extend([length(g), unit(g)]);
    let at = args.len();
    options(g, &mut args);
    if g.chance(30) && !name.ends_with("_RO") {
        without_details(g, &mut args, at);
        let how = g.pick(&["STORE", "STOREDIST"]);
        args.extend([g.word(how), key(g)]);
    }
    args
}

/// Takes out, mostly, what cannot be stored.
fn without_details(g: &mut Generator, args: &mut Args, from: usize) {
    if g.chance(95) {
        let options = args.split_off(from);
        let is_detail = |arg: &Vec<u8>| arg.to_ascii_uppercase().starts_with(b"WITH");
        args.extend(options.into_iter().filter(|arg| !is_detail(arg)));
    }
}
