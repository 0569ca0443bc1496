//! What the `tls-*` directives say, read and checked as a whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};

use super::sessions::Sessions;
use super::suites;
use crate::config::{Config, TlsAuth};

/// Tickets given to a client after its handshake, with which it can take up its session twice.
const TICKETS: usize = 2;

/// Reads certificates and keys and puts together what handshakes need. An error says what is wrong, for the log.
pub(super) fn read(config: &Config) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(CryptoProvider {
        cipher_suites: suites::suites(&config.tls_ciphersuites, &config.tls_ciphers)?,
        ..ring::default_provider()
    });
    let protocols = suites::protocols(&config.tls_protocols)?;
    let own = own_certificate(config, &provider)?;
    let verifier = verifier(config, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&protocols)
        .map_err(|error| anyhow!("Failed to configure protocols and ciphers: {error}"))?
        .with_client_cert_verifier(verifier);
    let mut settings = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    settings.ignore_client_order = config.tls_prefer_server_ciphers;
    if config.tls_session_caching {
        let (size, seconds) = (
            config.tls_session_cache_size,
            config.tls_session_cache_timeout,
        );
        settings.session_storage = Arc::new(Sessions::new(size, seconds));
        settings.send_tls13_tickets = TICKETS;
    } else {
        settings.session_storage = Arc::new(NoServerSessionStorage {});
        settings.send_tls13_tickets = 0;
    }
    Ok(Arc::new(settings))
}

fn own_certificate(config: &Config, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let (cert_file, key_file) = (&config.tls_cert_file, &config.tls_key_file);
    if cert_file.is_empty() {
        bail!("No tls-cert-file configured!");
    }
    if key_file.is_empty() {
        bail!("No tls-key-file configured!");
    }
    let failed_chain = || format!("Failed to load certificate: {cert_file}");
    let chain = certificates(&config.dir.file(cert_file)).with_context(failed_chain)?;
    if chain.is_empty() {
        bail!("{}: there is none in the file", failed_chain());
    }
    let failed_key = || format!("Failed to load private key: {key_file}");
    let key = private_key(&config.dir.file(key_file), &config.tls_key_file_pass);
    let key = key.with_context(failed_key)?;
    let signer = provider.key_provider.load_private_key(key);
    let signer = signer
        .map_err(|error| anyhow!("{error}"))
        .with_context(failed_key)?;
    let own = CertifiedKey::new(chain, signer);
    match own.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        // A certificate of an old version, as homemade ones are, cannot be looked into; clients decide whether they like it.
        Err(Error::InvalidCertificate(CertificateError::Other(_))) => {
            tracing::warn!(
                "Whether certificate and private key belong together cannot be told: {cert_file}"
            );
        }
        Err(Error::InconsistentKeys(_)) => {
            bail!("{}: it does not belong to the certificate", failed_key())
        }
        Err(error) => return Err(anyhow!("{error}")).with_context(failed_chain),
    }
    Ok(own)
}

/// Who checks clients' certificates.
fn verifier(
    config: &Config,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let (file, directory) = (&config.tls_ca_cert_file, &config.tls_ca_cert_dir);
    let is_named = !file.is_empty() || !directory.is_empty();
    if config.tls_auth_clients == TlsAuth::No {
        if is_named {
            // A mistake in them is told now and not when they are needed.
            authorities(config)?;
        }
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    if !is_named {
        bail!(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!"
        );
    }
    let roots = Arc::new(authorities(config)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    let builder = match config.tls_auth_clients {
        TlsAuth::Optional => builder.allow_unauthenticated(),
        _ => builder,
    };
    builder.build().map_err(|error| anyhow!("{error}"))
}

fn authorities(config: &Config) -> Result<RootCertStore> {
    const FAILED: &str = "Failed to configure CA certificate(s) file/directory";
    let mut roots = RootCertStore::empty();
    let mut read = |path: &Path| -> Result<()> {
        let found = certificates(path).with_context(|| format!("{FAILED}: {}", path.display()))?;
        roots.add_parsable_certificates(found);
        Ok(())
    };
    if !config.tls_ca_cert_file.is_empty() {
        read(&config.dir.file(&config.tls_ca_cert_file))?;
    }
    if !config.tls_ca_cert_dir.is_empty() {
        let directory = config.dir.file(&config.tls_ca_cert_dir);
        for path in
            files(&directory).with_context(|| format!("{FAILED}: {}", directory.display()))?
        {
            // Other files may lie there, too.
            let _ = read(&path);
        }
    }
    match roots.is_empty() {
        true => bail!("{FAILED}: no certificate was found"),
        false => Ok(roots),
    }
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let items = std::fs::read_dir(directory)?;
    let paths: std::io::Result<Vec<PathBuf>> =
        items.map(|item| item.map(|item| item.path())).collect();
    Ok(paths?.into_iter().filter(|path| path.is_file()).collect())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = std::fs::read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    all.map_err(|error| anyhow!("{error}"))
}

/// The first private key of a file, opened with a password where it is encrypted.
fn private_key(path: &Path, password: &str) -> Result<PrivateKeyDer<'static>> {
    const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    let text = std::fs::read_to_string(path)?;
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        bail!("its encryption is out of date; convert it with `openssl pkcs8 -topk8 -v2 aes256`");
    }
    let Some(start) = text.find(ENCRYPTED) else {
        return PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| anyhow!("{error}"));
    };
    if password.is_empty() {
        bail!("it is encrypted, and there is no tls-key-file-pass");
    }
    let (_, document) = pkcs8::SecretDocument::from_pem(text[start..].trim_end())
        .map_err(|error| anyhow!("{error}"))?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes());
    let encrypted = encrypted.map_err(|error| anyhow!("{error}"))?;
    let key = encrypted.decrypt(password);
    let key = key.map_err(|_| anyhow!("it cannot be decrypted with tls-key-file-pass"))?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}
