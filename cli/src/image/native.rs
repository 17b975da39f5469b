//! The native module as an image: for each architecture a layer with the file, and an index of both. Kubernetes mounts it as an
//! image volume, or an init container copies the file out of it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::{CONFIG, Descriptor, INDEX, LAYER, MANIFEST, Manifest, digest, layer, layout};

/// The file's name in the image.
pub const NAME: &str = "libgraylane.so";
/// Where an ELF header says the machine, and what it then says (`e_machine` in elf(5)).
const MACHINE: std::ops::Range<usize> = 18..20;
const MACHINES: [(u16, &str); 2] = [(62, "amd64"), (183, "arm64")];
/// What Envoy calls first.
const ENTRY: &[u8] = b"envoy_dynamic_module_on_program_init\0";

/// The architecture that a module is for.
///
/// # Errors
/// When it is not a native module, or for another one.
pub fn architecture(module: &[u8]) -> Result<&'static str> {
    ensure!(module.starts_with(b"\x7fELF\x02\x01"), "expected a shared object (ELF, 64 bits, little-endian)");
    ensure!(
        module.windows(ENTRY.len()).any(|window| window == ENTRY),
        "expected graylane's native module, got a shared object without `envoy_dynamic_module_on_program_init`"
    );
    let machine = module.get(MACHINE).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
    let known = MACHINES.iter().find(|(number, _)| Some(*number) == machine);
    known.map(|(_, name)| *name).with_context(|| {
        format!("expected a module for amd64 or arm64, got one for machine {}", machine.unwrap_or_default())
    })
}

/// Writes an image layout of these modules, one for each architecture; the digest of their index.
///
/// # Errors
/// When there are two for one architecture, or the folder cannot be written.
pub fn write(modules: &[Vec<u8>], folder: &Path, tag: &str) -> Result<String> {
    let mut manifests = BTreeMap::new();
    let mut blobs = Vec::new();
    for module in modules {
        let architecture = architecture(module)?;
        let (layer, tar_digest) = layer::pack_as(NAME, module)?;
        let config = serde_json::to_vec(&json!({
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [tar_digest]},
        }))?;
        let annotation =
            |name: &str, value: &str| (format!("org.opencontainers.image.{name}"), value.to_owned());
        let manifest = serde_json::to_vec(&Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            config: Descriptor::of(CONFIG, &config),
            layers: vec![Descriptor::of(LAYER, &layer)],
            annotations: BTreeMap::from([
                annotation("title", "graylane"),
                annotation("description", "graylane's native module for Envoy 1.39 and 1.40"),
                annotation("licenses", "Apache-2.0"),
                annotation("version", env!("CARGO_PKG_VERSION")),
            ]),
        })?;
        let mut descriptor = serde_json::to_value(Descriptor::of(MANIFEST, &manifest))?;
        descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
        if manifests.insert(architecture, descriptor).is_some() {
            bail!("two modules are for {architecture}: pass one for each architecture");
        }
        blobs.extend([layer, config, manifest]);
    }
    let manifests: Vec<_> = manifests.into_values().collect();
    let index = serde_json::to_vec(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))?;
    let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).chain([index.as_slice()]).collect();
    layout::put(folder, &blobs, Descriptor::of(INDEX, &index), tag)?;
    Ok(digest(&index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(machine: u16) -> Vec<u8> {
        let mut module = b"\x7fELF\x02\x01".to_vec();
        module.resize(MACHINE.start, 0);
        module.extend(machine.to_le_bytes());
        module.extend(ENTRY);
        module
    }

    #[test]
    fn an_index_names_a_manifest_for_each_architecture() {
        let folder = tempfile::tempdir().unwrap();
        let digest = write(&[module(183), module(62)], folder.path(), "1").unwrap();
        let read = |digest: &str| -> serde_json::Value {
            let path = folder.path().join("blobs").join(digest.replace(':', "/"));
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
        };
        let manifests = read(&digest)["manifests"].as_array().unwrap().clone();
        let architectures: Vec<&str> =
            manifests.iter().map(|one| one["platform"]["architecture"].as_str().unwrap()).collect();
        assert_eq!(architectures, ["amd64", "arm64"]);
        let manifest = read(manifests[0]["digest"].as_str().unwrap());
        assert_eq!(read(manifest["config"]["digest"].as_str().unwrap())["architecture"], "amd64");
        let layer = manifest["layers"][0]["digest"].as_str().unwrap().replace(':', "/");
        let layer = std::fs::read(folder.path().join("blobs").join(layer)).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&layer[..]));
        let names: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
        assert_eq!(names, [Path::new(NAME)]);
        assert_eq!(write(&[module(62), module(183)], folder.path(), "1").unwrap(), digest, "in any order");
    }

    #[test]
    fn what_is_not_a_module_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let said = |modules: &[Vec<u8>]| format!("{:#}", write(modules, folder.path(), "1").unwrap_err());
        assert!(said(&[b"\0asm".to_vec()]).contains("expected a shared object"));
        assert!(said(&[b"\x7fELF\x02\x01 nothing".to_vec()]).contains("got a shared object without"));
        assert!(said(&[module(40)]).contains("got one for machine 40"));
        assert!(said(&[module(62), module(62)]).contains("two modules are for amd64"));
    }
}
