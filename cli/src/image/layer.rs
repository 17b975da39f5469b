//! The tar, byte for byte: nothing of the machine that makes it, and nothing of the time.

use std::io::{Read as _, Write as _};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, GzBuilder};

use super::digest;

/// The name that Istio looks for, in whatever folder.
const NAME: &str = "plugin.wasm";

/// Largest module that is unpacked, in bytes: as much as Istio takes by default (`ISTIO_WASM_MAX_BINARY_SIZE_BYTES`).
const MAX: u64 = 256 << 20;

/// Packs a module: the gzipped tar, and the digest of the tar.
pub fn pack(module: &[u8]) -> Result<(Vec<u8>, String)> {
    let mut header = tar::Header::new_ustar();
    header.set_path(NAME)?;
    header.set_size(module.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, module)?;
    let archive = archive.into_inner()?;
    // 255: no operating system is said to have made it (RFC 1952).
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    gzip.write_all(&archive)?;
    Ok((gzip.finish()?, digest(&archive)))
}

/// The module in a layer.
///
/// # Errors
/// When there is none.
pub fn unpack(layer: &[u8]) -> Result<Vec<u8>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(layer));
    for entry in archive.entries().context("the layer is no gzipped tar")? {
        let entry = entry.context("the layer is no gzipped tar")?;
        if entry.path()?.file_name().is_some_and(|name| name == NAME) {
            let mut module = Vec::new();
            entry.take(MAX + 1).read_to_end(&mut module)?;
            ensure!(module.len() as u64 <= MAX, "{NAME} is larger than {} MiB", MAX >> 20);
            return Ok(module);
        }
    }
    anyhow::bail!("the layer has no {NAME}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_always_the_same_bytes() {
        let module = b"\0asm\x01\0\0\0 some module".repeat(100);
        let (layer, tar_digest) = pack(&module).unwrap();
        assert_eq!(unpack(&layer).unwrap(), module);
        assert_eq!(pack(&module).unwrap(), (layer.clone(), tar_digest));
        // Name, mode, owner, time: a golden of the header, so that no library changes the digest unnoticed.
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&layer[..]).read_to_end(&mut tar).unwrap();
        assert_eq!(
            digest(&tar[..512]),
            "sha256:9eda98b443dfcd291920dacc8dac69c748e84dd60a2f96e04e8b36aff5b5d2be"
        );
        assert_eq!(layer[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }

    #[test]
    fn what_is_no_layer_says_so() {
        for bad in [&b""[..], b"nonsense", &pack(b"x").unwrap().0[..20]] {
            assert!(unpack(bad).is_err());
        }
    }
}
