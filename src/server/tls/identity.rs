//! Whom a client's certificate names: the common name of its subject, or the addresses (URI) among its other names.
//!
//! The certificate has been checked by then, so this only finds its way through it: DER, each value behind its kind and its
//! length. What is not as expected names nobody.

use crate::config::TlsIdentity;

const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// An address among other names.
const URI: u8 = 0x86;
/// Kinds of text that are read as UTF-8: UTF8String, PrintableString, IA5String.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const OTHER_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The names of users that a certificate gives, the first one first.
pub(super) fn names(certificate: &[u8], identity: TlsIdentity) -> Vec<String> {
    match identity {
        TlsIdentity::Off => Vec::new(),
        TlsIdentity::CommonName => common_name(certificate).into_iter().collect(),
        TlsIdentity::Uri => addresses(certificate).unwrap_or_default(),
    }
}

/// A run of values.
#[derive(Clone, Copy)]
struct Values<'d>(&'d [u8]);

impl<'d> Iterator for Values<'d> {
    /// A kind and what it holds.
    type Item = (u8, Values<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[kind, length], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
                let append = |sum: usize, digit: &u8| sum << 8 | usize::from(*digit);
                (digits.iter().fold(0, append), rest)
            }
            _ => return None,
        };
        let (held, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((kind, Values(held)))
    }
}

impl<'d> Values<'d> {
    /// What the next value holds if it is of this kind.
    fn enter(&mut self, wanted: u8) -> Option<Values<'d>> {
        let mut ahead = *self;
        let (kind, held) = ahead.next()?;
        (kind == wanted).then(|| {
            *self = ahead;
            held
        })
    }

    /// As text; with a zero byte in it, it could be taken for a shorter one.
    fn text(self) -> Option<String> {
        let text = std::str::from_utf8(self.0).ok()?;
        (!text.contains('\0')).then(|| text.to_owned())
    }
}

/// What a certificate says, from its subject on.
fn subject(certificate: &[u8]) -> Option<Values<'_>> {
    let mut content = Values(certificate).enter(SEQUENCE)?.enter(SEQUENCE)?;
    let _ = content.enter(VERSION);
    // Serial number, algorithm, issuer, validity.
    content.nth(3)?;
    Some(content)
}

fn common_name(certificate: &[u8]) -> Option<String> {
    let subject = subject(certificate)?.enter(SEQUENCE)?;
    for (_, mut attribute) in subject.flat_map(|(_, set)| set) {
        if attribute.enter(IDENTIFIER)?.0 == COMMON_NAME {
            let (kind, name) = attribute.next()?;
            return TEXTS.contains(&kind).then(|| name.text())?;
        }
    }
    None
}

fn addresses(certificate: &[u8]) -> Option<Vec<String>> {
    let mut content = subject(certificate)?;
    let (_, mut extensions) = content.find(|(kind, _)| *kind == EXTENSIONS)?;
    for (_, mut extension) in extensions.enter(SEQUENCE)? {
        if extension.enter(IDENTIFIER)?.0 == OTHER_NAMES {
            let _ = extension.enter(BOOLEAN);
            let names = extension.enter(OCTETS)?.enter(SEQUENCE)?;
            let addresses = names.filter(|(kind, _)| *kind == URI);
            return Some(addresses.filter_map(|(_, name)| name.text()).collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn certificate(name: &str, addresses: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".into()]).expect("a good name");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "shop");
        params.distinguished_name.push(DnType::CommonName, name);
        let uri = |text: &&str| SanType::URI((*text).try_into().expect("an address"));
        params.subject_alt_names.extend(addresses.iter().map(uri));
        let key = KeyPair::generate().expect("a key");
        params
            .self_signed(&key)
            .expect("a certificate")
            .der()
            .to_vec()
    }

    #[test]
    fn certificates_name_users() {
        let long = format!("urn:{}", "x".repeat(300));
        let der = certificate("käthe", &["urn:a", &long]);
        assert_eq!(names(&der, TlsIdentity::CommonName), ["käthe"]);
        assert_eq!(names(&der, TlsIdentity::Uri), ["urn:a", &long]);
        assert!(names(&der, TlsIdentity::Off).is_empty());
        let zero = certificate("default\0.example.org", &[]);
        assert!(names(&zero, TlsIdentity::CommonName).is_empty());
        assert!(names(&zero, TlsIdentity::Uri).is_empty());
    }

    #[test]
    fn damaged_ones_name_nobody_else() {
        let der = certificate("name", &["urn:a"]);
        for end in 0..der.len() {
            for identity in [TlsIdentity::CommonName, TlsIdentity::Uri] {
                assert!(names(&der[..end], identity).is_empty());
            }
        }
        for at in 0..der.len() {
            let mut der = der.clone();
            der[at] = der[at].wrapping_add(0x41);
            names(&der, TlsIdentity::CommonName);
            names(&der, TlsIdentity::Uri);
        }
    }
}
