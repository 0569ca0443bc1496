//! TLS: ports, certificates on both sides, what is configured at run time, and that encrypted clients are served as others.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::common::{
    Raw, Server, bulk, check, error, eventually, frame, installed, integer, ok, run, simple,
};

/// A folder with an authority's certificate, and those of a server and a client that it vouches for.
struct Certificates {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("ca.crt"), ca.pem()).expect("a file");
        let this = Self {
            folder,
            issuer: Issuer::new(params, key),
        };
        this.issue("server", "server");
        this.issue("client", "client");
        this
    }

    /// Makes a certificate and its key, in files of this name.
    fn issue(&self, file: &str, name: &str) {
        self.issue_with(file, name, &[]);
    }

    fn issue_with(&self, file: &str, name: &str, addresses: &[&str]) {
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("good names");
        params.distinguished_name.push(DnType::CommonName, name);
        let uri = |text: &&str| SanType::URI((*text).try_into().expect("an address"));
        params.subject_alt_names.extend(addresses.iter().map(uri));
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        fs::write(self.file(&format!("{file}.crt")), certificate.pem()).expect("a file");
        fs::write(self.file(&format!("{file}.key")), key.serialize_pem()).expect("a file");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    fn der(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file(name)).expect("a certificate")
    }

    /// How a client connects, with the certificate of this name, or none.
    fn client(&self, own: Option<&str>) -> ClientConfig {
        self.client_of(own, rustls::ALL_VERSIONS)
    }

    fn client_of(
        &self,
        own: Option<&str>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.der("ca.crt")).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("good versions")
            .with_root_certificates(roots);
        match own {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key")));
                let chain = vec![self.der(&format!("{name}.crt"))];
                let with = builder.with_client_auth_cert(chain, key.expect("a key"));
                with.expect("a good certificate")
            }
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A server that speaks TLS, and its port.
fn start(certificates: &Certificates, args: &[&str]) -> (Server, u16) {
    let port = free_port();
    let (cert, key) = (
        certificates.file("server.crt"),
        certificates.file("server.key"),
    );
    let (ca, tls_port) = (certificates.file("ca.crt"), port.to_string());
    let mut all = vec![
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
    ];
    all.extend(["--tls-ca-cert-file", &ca]);
    all.extend(args);
    (Server::start(&all), port)
}

/// An encrypted connection.
struct Secure(StreamOwned<ClientConnection, TcpStream>);

impl Secure {
    fn connect(config: ClientConfig, port: u16) -> Self {
        Self::with(Arc::new(config), ([127, 0, 0, 1], port).into())
    }

    fn with(config: Arc<ClientConfig>, address: std::net::SocketAddr) -> Self {
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(config, name).expect("a session");
        let socket = TcpStream::connect(address).expect("a connection");
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a valid time");
        socket.set_nodelay(true).expect("an option");
        Self(StreamOwned::new(session, socket))
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn try_ask(&mut self, line: &str) -> io::Result<String> {
        self.0.write_all(format!("{line}\r\n").as_bytes())?;
        self.read_line()
    }

    #[track_caller]
    fn ask(&mut self, line: &str) -> String {
        self.try_ask(line).expect("an answer")
    }

    #[track_caller]
    fn read_bulk(&mut self) -> Vec<u8> {
        let line = self.read_line().expect("a length");
        let len: usize = line[1..].parse().expect("a number");
        let mut bytes = vec![0; len + 2];
        self.0.read_exact(&mut bytes).expect("the value");
        bytes.truncate(len);
        bytes
    }
}

/// Whether a client is let in.
fn is_served(config: ClientConfig, port: u16) -> bool {
    Secure::connect(config, port)
        .try_ask("PING")
        .is_ok_and(|line| line == "+PONG")
}

#[test]
fn plain_and_encrypted_clients_share_the_data() {
    let certificates = Certificates::new();
    let (server, port) = start(&certificates, &[]);
    let (mut raw, mut secure) = (
        server.raw(),
        Secure::connect(certificates.client(Some("client")), port),
    );
    assert_eq!(secure.ask("SET key value"), "+OK");
    assert_eq!(raw.ask("GET key"), bulk("value"));
    let info = raw.ask("INFO server").text();
    assert!(
        info.contains(&format!(
            "listener1:name=tls,bind=*,bind=-::*,port={port}\r\n"
        )),
        "{info}"
    );
    let clients = raw.ask("CLIENT LIST").text();
    assert!(
        clients.contains(&format!("laddr=127.0.0.1:{port} ")),
        "{clients}"
    );
    drop(secure);
    eventually("it has left", || {
        !raw.ask("CLIENT LIST").text().contains(&format!(":{port} "))
    });
}

#[test]
fn large_values_and_small_pieces() {
    let certificates = Certificates::new();
    let (_server, port) = start(&certificates, &["--tls-auth-clients", "no"]);
    let mut secure = Secure::connect(certificates.client(None), port);
    let value: Vec<u8> = (0..5_000_000u32)
        .map(|number| (number % 251) as u8)
        .collect();
    secure
        .0
        .write_all(&frame(&[b"SET", b"big", &value]))
        .expect("it is sent");
    assert_eq!(secure.read_line().expect("a reply"), "+OK");
    secure
        .0
        .write_all(&frame(&[b"GET", b"big"]))
        .expect("it is sent");
    assert!(secure.read_bulk() == value);
    // Each byte in a record of its own.
    for byte in frame(&[b"STRLEN", b"big"]) {
        secure.0.write_all(&[byte]).expect("it is sent");
    }
    assert_eq!(secure.read_line().expect("a reply"), ":5000000");
    let pipeline: Vec<u8> = (0..20_000).flat_map(|_| frame(&[b"INCR", b"n"])).collect();
    secure.0.write_all(&pipeline).expect("it is sent");
    for number in 1..=20_000 {
        assert_eq!(secure.read_line().expect("a reply"), format!(":{number}"));
    }
}

#[test]
fn a_slow_reader_gets_every_byte() {
    let certificates = Certificates::new();
    let (server, port) = start(&certificates, &["--tls-auth-clients", "no"]);
    let value: Vec<u8> = (0..1_000_003u32)
        .map(|number| (number % 253) as u8)
        .collect();
    assert_eq!(server.raw().command(&[b"SET", b"big", &value]), ok());
    let mut secure = Secure::connect(certificates.client(None), port);
    const COUNT: usize = 40;
    let pipeline: Vec<u8> = (0..COUNT)
        .flat_map(|_| [frame(&[b"GET", b"big"]), frame(&[b"PING"])].concat())
        .collect();
    secure.0.write_all(&pipeline).expect("it is sent");
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..COUNT {
        assert!(secure.read_bulk() == value);
        assert_eq!(secure.read_line().expect("a reply"), "+PONG");
    }
}

#[test]
fn clients_show_certificates() {
    let (certificates, strangers) = (Certificates::new(), Certificates::new());
    let (server, port) = start(&certificates, &[]);
    let mut raw = server.raw();
    let stranger = || {
        let mut config = certificates.client(None);
        let key = PrivateKeyDer::from_pem_file(strangers.file("client.key")).expect("a key");
        let chain = vec![strangers.der("client.crt")];
        let provider = rustls::crypto::ring::default_provider();
        let own = rustls::sign::CertifiedKey::from_der(chain, key, &provider).expect("a pair");
        config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(own));
        config
    };
    for (setting, without, from_elsewhere) in [
        ("yes", false, false),
        ("optional", true, false),
        ("no", true, true),
    ] {
        assert_eq!(
            raw.ask(&format!("CONFIG SET tls-auth-clients {setting}")),
            ok()
        );
        assert!(
            is_served(certificates.client(Some("client")), port),
            "{setting}"
        );
        assert_eq!(
            is_served(certificates.client(None), port),
            without,
            "{setting}"
        );
        assert_eq!(is_served(stranger(), port), from_elsewhere, "{setting}");
    }
    // A directory of authorities does as well, whatever else lies in it.
    let refusal = raw.ask("CONFIG SET tls-auth-clients yes tls-ca-cert-file \"\"");
    assert!(
        matches!(&refusal, crate::common::Reply::Error(text) if text.contains("Unable to update TLS")),
        "{refusal:?}"
    );
    let folder = certificates.path().display().to_string();
    let set = raw.ask(&format!(
        "CONFIG SET tls-auth-clients yes tls-ca-cert-file \"\" tls-ca-cert-dir {folder}"
    ));
    assert_eq!(set, ok());
    assert!(is_served(certificates.client(Some("client")), port));
    assert!(!is_served(stranger(), port));
}

#[test]
fn a_zero_byte_in_a_name_makes_nobody_else_of_a_client() {
    let certificates = Certificates::new();
    certificates.issue("strange", "default\0.example.org");
    let (_server, port) = start(&certificates, &[]);
    let mut secure = Secure::connect(certificates.client(Some("strange")), port);
    secure.ask("CLIENT INFO");
    let info = secure.read_line().expect("what is known of it");
    assert!(info.contains(" user=default "), "{info}");
}

#[test]
fn certificates_say_which_user_a_client_is() {
    let certificates = Certificates::new();
    certificates.issue("zero", "client\0.example.org");
    certificates.issue_with("shop", "client", &["urn:nobody", "urn:off", "urn:shop"]);
    let (server, port) = start(&certificates, &["--requirepass", "secret"]);
    let mut raw = server.raw();
    check(
        &mut raw,
        &[
            ("AUTH secret", ok()),
            ("ACL SETUSER client on >x +@all ~mine:*", ok()),
            ("ACL SETUSER urn:off +@all", ok()),
            ("ACL SETUSER urn:shop on +@all", ok()),
        ],
    );
    let user = |file: &str| {
        let mut secure = Secure::connect(certificates.client(Some(file)), port);
        secure.ask("ACL WHOAMI")
    };
    assert_eq!(user("client"), "-NOAUTH Authentication required.");
    raw.ask("CONFIG SET tls-auth-clients-user CN");
    assert_eq!(user("client"), "$6");
    assert_eq!(user("zero"), "-NOAUTH Authentication required.");
    let mut secure = Secure::connect(certificates.client(Some("client")), port);
    assert_eq!(secure.ask("SET mine:1 x"), "+OK");
    assert!(secure.ask("SET yours:1 x").starts_with("-NOPERM"));
    assert_eq!(secure.ask("RESET"), "+RESET");
    assert_eq!(secure.ask("PING"), "-NOAUTH Authentication required.");
    raw.ask("CONFIG SET tls-auth-clients-user URI");
    assert_eq!(user("client"), "-NOAUTH Authentication required.");
    assert_eq!(user("shop"), "$8");
    assert_eq!(raw.ask("ACL DELUSER urn:shop"), integer(1));
    assert_eq!(user("shop"), "-NOAUTH Authentication required.");
}

#[test]
fn certificates_are_read_anew() {
    let certificates = Certificates::new();
    let (server, port) = start(&certificates, &[]);
    let mut raw = server.raw();
    let mut before = Secure::connect(certificates.client(Some("client")), port);
    assert_eq!(before.ask("PING"), "+PONG");
    let shown = |config: ClientConfig| {
        let mut secure = Secure::connect(config, port);
        assert_eq!(secure.ask("PING"), "+PONG");
        secure
            .0
            .conn
            .peer_certificates()
            .map(|chain| chain[0].clone())
    };
    let old = certificates.der("server.crt");
    assert_eq!(
        shown(certificates.client(Some("client"))),
        Some(old.clone())
    );
    let (cert, key) = (
        certificates.file("server.crt"),
        certificates.file("server.key"),
    );
    let refused = error(
        "ERR CONFIG SET failed (possibly related to argument 'tls-cert-file') - Unable to update TLS configuration. Check server logs.",
    );
    // A certificate to which the key does not belong, one that is none, and one that is not there.
    let other = certificates.file("client.crt");
    assert_eq!(
        raw.ask(&format!("CONFIG SET tls-cert-file {other}")),
        refused
    );
    fs::write(certificates.file("bad.crt"), "nonsense").expect("a file");
    let bad = certificates.file("bad.crt");
    assert_eq!(raw.ask(&format!("CONFIG SET tls-cert-file {bad}")), refused);
    assert_eq!(
        raw.ask("CONFIG SET tls-cert-file /nonexistent/server.crt"),
        refused
    );
    assert_eq!(
        shown(certificates.client(Some("client"))),
        Some(old.clone())
    );
    assert_eq!(raw.ask("CONFIG GET tls-cert-file").items()[1], bulk(&cert));
    // The same names, other contents.
    certificates.issue("server", "renewed");
    let both = format!("CONFIG SET tls-cert-file {cert} tls-key-file {key}");
    assert_eq!(raw.ask(&both), ok());
    let new = shown(certificates.client(Some("client")));
    assert!(new.is_some() && new != Some(old));
    assert_eq!(before.ask("PING"), "+PONG", "connections stay");
}

#[test]
fn protocols_and_suites_are_chosen() {
    let certificates = Certificates::new();
    let (server, port) = start(&certificates, &["--tls-auth-clients", "no"]);
    let mut raw = server.raw();
    let only = |version| certificates.client_of(None, &[version]);
    let (old, new) = (&rustls::version::TLS12, &rustls::version::TLS13);
    assert!(is_served(only(old), port) && is_served(only(new), port));
    assert_eq!(raw.ask("CONFIG SET tls-protocols TLSv1.2"), ok());
    assert!(is_served(only(old), port) && !is_served(only(new), port));
    assert_eq!(raw.ask("CONFIG SET tls-protocols TLSv1.3"), ok());
    assert!(!is_served(only(old), port) && is_served(only(new), port));
    assert_eq!(raw.ask("CONFIG SET tls-protocols \"\""), ok());
    for directive in [
        "tls-protocols SSLv3",
        "tls-ciphers AES128-SHA256",
        "tls-ciphersuites nonsense",
    ] {
        let reply = raw.ask(&format!("CONFIG SET {directive}"));
        assert!(
            matches!(&reply, crate::common::Reply::Error(text) if text.contains("Unable to update TLS")),
            "{directive}: {reply:?}"
        );
    }
    let suite = |secure: &Secure| {
        secure
            .0
            .conn
            .negotiated_cipher_suite()
            .map(|suite| suite.suite())
    };
    let set = "CONFIG SET tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256 tls-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:DEFAULT tls-prefer-server-ciphers yes";
    assert_eq!(raw.ask(set), ok());
    let mut secure = Secure::connect(only(new), port);
    assert_eq!(secure.ask("PING"), "+PONG");
    assert_eq!(
        suite(&secure),
        Some(rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256)
    );
    let mut secure = Secure::connect(only(old), port);
    assert_eq!(secure.ask("PING"), "+PONG");
    assert_eq!(
        suite(&secure),
        Some(rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
    );
}

#[test]
fn sessions_are_taken_up_again() {
    let certificates = Certificates::new();
    let (server, port) = start(&certificates, &[]);
    let config = Arc::new(certificates.client(Some("client")));
    let kind = || {
        let mut secure = Secure::with(config.clone(), ([127, 0, 0, 1], port).into());
        assert_eq!(secure.ask("PING"), "+PONG");
        secure.0.conn.handshake_kind()
    };
    assert_eq!(kind(), Some(HandshakeKind::Full));
    assert_eq!(kind(), Some(HandshakeKind::Resumed));
    assert_eq!(server.raw().ask("CONFIG SET tls-session-caching no"), ok());
    assert_eq!(kind(), Some(HandshakeKind::Full));
    assert_eq!(kind(), Some(HandshakeKind::Full));
}

#[test]
fn ports_change_while_clients_are_served() {
    let certificates = Certificates::new();
    let (server, port) = start(&certificates, &[]);
    let plain = server.port();
    let mut secure = Secure::connect(certificates.client(Some("client")), port);
    assert_eq!(secure.ask("CONFIG SET port 0"), "+OK");
    assert!(Raw::try_connect(plain).is_err());
    assert!(is_served(certificates.client(Some("client")), port));
    // The plain port's number for TLS, and the other way round.
    assert_eq!(secure.ask(&format!("CONFIG SET tls-port {plain}")), "+OK");
    assert!(is_served(certificates.client(Some("client")), plain));
    assert_eq!(secure.ask("CONFIG SET tls-port 0"), "+OK");
    assert_eq!(secure.ask(&format!("CONFIG SET port {plain}")), "+OK");
    let mut raw = Raw::connect(plain);
    assert_eq!(raw.ask("PING"), simple("PONG"));
    let taken = TcpListener::bind(("0.0.0.0", 0)).expect("a port");
    let taken = taken.local_addr().expect("an address").port();
    let _keeper = TcpListener::bind(("0.0.0.0", taken));
    let reply = raw.ask(&format!("CONFIG SET tls-port {plain}"));
    assert!(
        matches!(&reply, crate::common::Reply::Error(text) if text.contains("Unable to listen on this port")),
        "{reply:?}"
    );
    assert_eq!(raw.ask("CONFIG GET tls-port").items()[1], bulk("0"));
}

#[test]
fn whoever_does_not_shake_hands_costs_nothing() {
    let certificates = Certificates::new();
    let (server, port) = start(&certificates, &[]);
    let mut raw = server.raw();
    let silent: Vec<Raw> = (0..100).map(|_| Raw::connect(port)).collect();
    let mut garbage = Raw::connect(port);
    garbage.send("PING\r\n");
    // It is told that this is no handshake.
    assert!(garbage.try_read().is_err());
    assert!(is_served(certificates.client(Some("client")), port));
    eventually("there is one client", || {
        raw.ask("CLIENT LIST").text().lines().count() == 1
    });
    let begun = Instant::now();
    for mut stranger in silent {
        stranger.expect_closed();
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn protected_mode_is_told_after_the_handshake() {
    let certificates = Certificates::new();
    let (_server, port) = start(&certificates, &[]);
    let Some(address) = own_address() else { return };
    let config = Arc::new(certificates.client(Some("client")));
    let mut secure = Secure::with(config, (address, port).into());
    let reply = secure.try_ask("PING").expect("an answer");
    assert!(reply.starts_with("-DENIED "), "{reply}");
}

/// An address of this machine other than the loopback.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

#[test]
fn a_server_without_good_certificates_does_not_start() {
    let certificates = Certificates::new();
    let port = free_port().to_string();
    let output = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oxidis"));
        command
            .args(["--port", "0", "--save", "", "--tls-port", &port])
            .args(args);
        let output = run(&mut command, b"", Duration::from_secs(30));
        assert!(!output.status.success());
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert!(output(&[]).contains("No tls-cert-file configured!"));
    let (cert, key) = (
        certificates.file("server.crt"),
        certificates.file("server.key"),
    );
    let text = output(&["--tls-cert-file", &cert, "--tls-key-file", &key]);
    assert!(
        text.contains("Either tls-ca-cert-file or tls-ca-cert-dir must be specified"),
        "{text}"
    );
    let other = certificates.file("client.key");
    let text = output(&[
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &other,
        "--tls-auth-clients",
        "no",
    ]);
    assert!(
        text.contains("does not belong to the certificate"),
        "{text}"
    );
}

#[test]
fn redis_cli_connects() {
    if !installed("redis-cli") {
        return;
    }
    let certificates = Certificates::new();
    let (_server, port) = start(&certificates, &[]);
    let mut cli = Command::new("redis-cli");
    cli.args([
        "-p",
        &port.to_string(),
        "--tls",
        "--cacert",
        &certificates.file("ca.crt"),
    ]);
    cli.args([
        "--cert",
        &certificates.file("client.crt"),
        "--key",
        &certificates.file("client.key"),
    ]);
    let output = run(
        &mut cli,
        b"SET key value\nGET key\n",
        Duration::from_secs(60),
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "OK\nvalue\n");
}

#[test]
fn node_redis_over_tls() {
    flows("redis6");
}

#[test]
fn ioredis_over_tls() {
    flows("ioredis6");
}

/// Runs the flows of the Node clients over encrypted connections.
#[track_caller]
fn flows(client: &str) {
    if !installed("node") || !installed("npm") {
        return;
    }
    crate::clients::install();
    let certificates = Certificates::new();
    let (_server, port) = start(&certificates, &[]);
    let mut node = Command::new("node");
    node.current_dir(crate::clients::folder())
        .env("TLS_FOLDER", certificates.path())
        .args(["run.mjs", client, &port.to_string()]);
    let output = run(&mut node, b"", Duration::from_secs(300));
    let printed = String::from_utf8_lossy(&output.stdout);
    println!("{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "flows fail");
}
