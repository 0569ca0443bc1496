//! Protocols and cipher suites, from the words that OpenSSL has for them.

use anyhow::{Result, bail};
use rustls::crypto::ring::ALL_CIPHER_SUITES;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion};

/// Suites by OpenSSL's names; those of TLS 1.3 come first.
const NAMES: &[(&str, CipherSuite)] = &[
    (
        "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_AES_256_GCM_SHA384,
    ),
    (
        "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_128_GCM_SHA256,
    ),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Words of OpenSSL's cipher lists that stand for many suites, all of those among them that are known here.
const CLASSES: &[&str] = &[
    "DEFAULT",
    "ALL",
    "HIGH",
    "COMPLEMENTOFDEFAULT",
    "AESGCM",
    "ECDHE",
    "EECDH",
    "KEECDH",
    "KECDHE",
    "TLSV1.2",
    "AEAD",
    "FIPS",
];

fn is_of_1_3(suite: &SupportedCipherSuite) -> bool {
    suite.tls13().is_some()
}

fn named(name: &str) -> Option<SupportedCipherSuite> {
    let (_, id) = NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    ALL_CIPHER_SUITES
        .iter()
        .find(|suite| suite.suite() == *id)
        .copied()
}

/// What `tls-protocols` asks for.
pub(super) fn protocols(words: &str) -> Result<Vec<&'static SupportedProtocolVersion>> {
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "tlsv1.3" => versions.push(&TLS13),
            "tlsv1.2" => versions.push(&TLS12),
            "tlsv1" | "tlsv1.1" => {
                tracing::warn!("{word} is in tls-protocols but not supported: it is broken.");
            }
            _ => bail!(
                "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'."
            ),
        }
    }
    match versions.is_empty() {
        true if words.trim().is_empty() => Ok(vec![&TLS13, &TLS12]),
        true => {
            bail!("None of the protocols in tls-protocols is supported. Use TLSv1.2 and TLSv1.3.")
        }
        false => Ok(versions),
    }
}

/// What `tls-ciphersuites` (for TLS 1.3) and `tls-ciphers` (for TLS 1.2) ask for, in this order.
pub(super) fn suites(suites: &str, ciphers: &str) -> Result<Vec<SupportedCipherSuite>> {
    let mut chosen = match suites.is_empty() {
        true => ALL_CIPHER_SUITES
            .iter()
            .filter(|suite| is_of_1_3(suite))
            .copied()
            .collect(),
        false => suites_of_1_3(suites)?,
    };
    chosen.extend(ciphers_of_1_2(ciphers)?);
    Ok(chosen)
}

fn suites_of_1_3(words: &str) -> Result<Vec<SupportedCipherSuite>> {
    let words = words.split(':').filter(|word| !word.is_empty());
    let chosen: Option<Vec<_>> = words.map(|word| named(word).filter(is_of_1_3)).collect();
    match chosen {
        Some(chosen) if !chosen.is_empty() => Ok(chosen),
        _ => bail!("Failed to configure ciphersuites: use {}", known(is_of_1_3)),
    }
}

/// As OpenSSL reads a list: words add suites, `-` and `!` before a word take them away, and words that are not known are
/// passed over. What is left must not be nothing.
fn ciphers_of_1_2(words: &str) -> Result<Vec<SupportedCipherSuite>> {
    let all = || {
        ALL_CIPHER_SUITES
            .iter()
            .filter(|suite| !is_of_1_3(suite))
            .copied()
    };
    if words.is_empty() {
        return Ok(all().collect());
    }
    let mut chosen: Vec<SupportedCipherSuite> = Vec::new();
    for word in words
        .split([':', ',', ' ', ';'])
        .filter(|word| !word.is_empty())
    {
        let (takes_away, name) = match word.strip_prefix(['-', '!']) {
            Some(name) => (true, name),
            None => (false, word.trim_start_matches('+')),
        };
        // What follows is a level of security, which is high in any case.
        let name = name.split('@').next().unwrap_or_default();
        let is_class = CLASSES.contains(&name.to_ascii_uppercase().as_str());
        let meant: Vec<_> = match is_class {
            true => all().collect(),
            false => named(name)
                .filter(|suite| !is_of_1_3(suite))
                .into_iter()
                .collect(),
        };
        match takes_away {
            true => chosen.retain(|suite| !meant.contains(suite)),
            false => {
                let added = meant.into_iter().filter(|suite| !chosen.contains(suite));
                chosen.extend(added.collect::<Vec<_>>());
            }
        }
    }
    if chosen.is_empty() {
        let known = known(|suite| !is_of_1_3(suite));
        bail!("Failed to configure ciphers: {words}: use DEFAULT or some of {known}");
    }
    Ok(chosen)
}

/// The names of suites, for people.
fn known(which: impl Fn(&SupportedCipherSuite) -> bool) -> String {
    let names = NAMES
        .iter()
        .filter(|(name, _)| named(name).is_some_and(|suite| which(&suite)));
    names.map(|(name, _)| *name).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(suites: &[SupportedCipherSuite]) -> Vec<&'static str> {
        let name = |suite: &SupportedCipherSuite| {
            NAMES
                .iter()
                .find(|(_, id)| *id == suite.suite())
                .map_or("", |(name, _)| *name)
        };
        suites.iter().map(name).collect()
    }

    #[test]
    fn every_suite_has_a_name() {
        assert_eq!(NAMES.len(), ALL_CIPHER_SUITES.len());
        assert_eq!(suites("", "").expect("all").len(), NAMES.len());
    }

    #[test]
    fn lists_are_read_as_openssl_does() {
        let of = |list| ciphers_of_1_2(list).map(|suites| names(&suites));
        assert_eq!(
            of("ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA").expect("one is known"),
            ["ECDHE-RSA-AES128-GCM-SHA256"]
        );
        assert_eq!(of("DEFAULT:!MEDIUM").expect("all").len(), 6);
        assert_eq!(of("DEFAULT@SECLEVEL=1").expect("all").len(), 6);
        assert_eq!(
            of("HIGH:-ECDHE-RSA-CHACHA20-POLY1305").expect("five").len(),
            5
        );
        assert!(of("AES128-SHA256").is_err());
        assert!(of("nonsense").is_err());
    }

    #[test]
    fn suites_of_1_3_are_named_exactly() {
        let of = |list| suites_of_1_3(list).map(|suites| names(&suites));
        assert_eq!(
            of("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256").expect("two"),
            ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]
        );
        assert!(of("TLS_AES_128_CCM_SHA256").is_err());
        assert!(of("ECDHE-RSA-AES128-GCM-SHA256").is_err());
    }

    #[test]
    fn protocols_by_name() {
        assert_eq!(protocols("").expect("both").len(), 2);
        assert_eq!(protocols("TLSv1.2").expect("one"), [&TLS12]);
        assert_eq!(protocols("tlsv1.1 tlsv1.3").expect("one"), [&TLS13]);
        assert!(protocols("TLSv1.1").is_err());
        assert!(protocols("SSLv3").is_err());
    }
}
