//! The tar, byte for byte: nothing of the machine that makes it, and nothing of the time.

use std::io::{Read as _, Write as _};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, GzBuilder};

use super::digest;

/// The name that Istio looks for, in whatever folder.
const NAME: &str = "plugin.wasm";

/// Largest layer, in bytes, unpacked. Ours has less than one MiB; Istio takes 256 (`ISTIO_WASM_MAX_BINARY_SIZE_BYTES`).
const MAX: u64 = 64 << 20;

/// Packs a module: the gzipped tar, and the digest of the tar.
pub fn pack(module: &[u8]) -> Result<(Vec<u8>, String)> {
    pack_as(NAME, module)
}

/// Packs a file under this name.
pub fn pack_as(name: &str, module: &[u8]) -> Result<(Vec<u8>, String)> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
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
    let unpacked = flate2::read::GzDecoder::new(layer).take(MAX + 1);
    let mut archive = tar::Archive::new(unpacked);
    // Raw: what GNU and PAX put before an entry (a long name, say) is an entry of its own, and is not read into memory.
    for entry in archive.entries().context("the layer is not a gzipped tar")?.raw(true) {
        let entry = entry.context("the layer is not a gzipped tar, or has more than 64 MiB unpacked")?;
        if entry.header().entry_type().is_file() && entry.path()?.file_name().is_some_and(|name| name == NAME)
        {
            let size = entry.size();
            ensure!(size <= MAX, "{NAME} has {size} bytes, and at most {} MiB are unpacked", MAX >> 20);
            let mut module = Vec::new();
            entry.take(MAX).read_to_end(&mut module)?;
            ensure!(
                module.len() as u64 == size,
                "{NAME} has {} bytes, and the tar says {size}",
                module.len()
            );
            return Ok(module);
        }
    }
    anyhow::bail!("the layer has no {NAME}, or has more than {} MiB unpacked before it", MAX >> 20)
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
    fn a_long_name_or_a_large_module_is_not_read_into_memory() {
        for (kind, name) in [(tar::EntryType::GNULongName, "././@LongLink"), (tar::EntryType::Regular, NAME)]
        {
            let mut header = tar::Header::new_gnu();
            header.set_path(name).unwrap();
            header.set_size(1 << 30);
            header.set_entry_type(kind);
            header.set_cksum();
            let mut gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
            gzip.write_all(header.as_bytes()).unwrap();
            let zeros = vec![0; 1 << 20];
            (0..80).for_each(|_| gzip.write_all(&zeros).unwrap());
            let error = format!("{:#}", unpack(&gzip.finish().unwrap()).unwrap_err());
            assert!(error.contains("64 MiB"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_a_layer_is_reported() {
        for bad in [&b""[..], b"nonsense", &pack(b"x").unwrap().0[..20]] {
            assert!(unpack(bad).is_err());
        }
    }
}
