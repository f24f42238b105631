//! RFC 5929 §4: the channel binding `tls-server-end-point`.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// The hash of a certificate (DER) by the hash function of its own signature; SHA-256 where that is
/// MD5 or SHA-1 (RFC 5929 §4.1). `None` where the signature has no such function (Ed25519), or for
/// one that we do not know: then the binding is not offered.
pub(super) fn end_point(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let algorithm = &certificate.signature_algorithm;
    let oid = algorithm.algorithm.to_id_string();
    let oid = if oid == RSASSA_PSS {
        // The hash function stands in the parameters (RFC 4055 §3.1).
        match SignatureAlgorithm::try_from(algorithm).ok()? {
            SignatureAlgorithm::RSASSA_PSS(params) => params.hash_algorithm_oid().to_id_string(),
            _ => return None,
        }
    } else {
        oid
    };
    let hash = HASHES.iter().find(|(known, _)| *known == oid)?.1;
    Some(match hash {
        Hash::Sha224 => Sha224::digest(der).to_vec(),
        Hash::Sha256 => Sha256::digest(der).to_vec(),
        Hash::Sha384 => Sha384::digest(der).to_vec(),
        Hash::Sha512 => Sha512::digest(der).to_vec(),
    })
}

#[derive(Clone, Copy)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";

/// Signature algorithms, and the bare hash functions of RSASSA-PSS parameters.
const HASHES: &[(&str, Hash)] = &[
    ("1.2.840.113549.1.1.4", Hash::Sha256), // md5WithRSAEncryption
    ("1.2.840.113549.1.1.5", Hash::Sha256), // sha1WithRSAEncryption
    ("1.2.840.113549.1.1.14", Hash::Sha224), // sha224WithRSAEncryption
    ("1.2.840.113549.1.1.11", Hash::Sha256), // sha256WithRSAEncryption
    ("1.2.840.113549.1.1.12", Hash::Sha384), // sha384WithRSAEncryption
    ("1.2.840.113549.1.1.13", Hash::Sha512), // sha512WithRSAEncryption
    ("1.2.840.10045.4.1", Hash::Sha256),    // ecdsa-with-SHA1
    ("1.2.840.10045.4.3.1", Hash::Sha224),  // ecdsa-with-SHA224
    ("1.2.840.10045.4.3.2", Hash::Sha256),  // ecdsa-with-SHA256
    ("1.2.840.10045.4.3.3", Hash::Sha384),  // ecdsa-with-SHA384
    ("1.2.840.10045.4.3.4", Hash::Sha512),  // ecdsa-with-SHA512
    ("1.3.14.3.2.26", Hash::Sha256),        // SHA-1
    ("2.16.840.1.101.3.4.2.4", Hash::Sha224), // SHA-224
    ("2.16.840.1.101.3.4.2.1", Hash::Sha256), // SHA-256
    ("2.16.840.1.101.3.4.2.2", Hash::Sha384), // SHA-384
    ("2.16.840.1.101.3.4.2.3", Hash::Sha512), // SHA-512
];
