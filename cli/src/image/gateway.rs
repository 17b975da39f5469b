//! The filter in an image of Istio's proxy, as what `docker build` and others make it from. A proxy with it asks no registry when it
//! starts: Istio's agent lets nothing through a gateway whose filter it could not fetch (pkg/wasm/convert.go: an RBAC filter that
//! denies), so a gateway that scales out while the registry is gone would answer 403.

use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Where the filter is in the image.
pub const PATH: &str = "/usr/local/share/graylane/graylane.wasm";
const NAME: &str = "graylane.wasm";

/// Writes a Dockerfile and the module beside it.
///
/// # Errors
/// When the base is no reference of an image, or the folder cannot be written.
pub fn write(base: &str, module: &[u8], folder: &Path) -> Result<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"./:@_-[]".contains(&byte);
    ensure!(
        !base.is_empty() && !base.starts_with('-') && base.bytes().all(fits),
        "--gateway-image: invalid image `{base}`; expected the proxy's, as in `docker.io/istio/proxyv2:1.31.0`"
    );
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make folder `{}`", folder.display()))?;
    put(NAME, module)?;
    readable(&folder.join(NAME))?;
    put("Dockerfile", format!("FROM {base}\nCOPY {NAME} {PATH}\n").as_bytes())
}

/// The proxy is not the user who builds: whatever the umask is, it has to read the file.
#[cfg(unix)]
fn readable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
        .with_context(|| format!("cannot change `{}`", path.display()))
}

#[cfg(not(unix))]
fn readable(_path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_base_and_the_module() {
        let folder = tempfile::tempdir().unwrap();
        write("docker.io/istio/proxyv2:1.31.0", b"module", folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            read("Dockerfile"),
            "FROM docker.io/istio/proxyv2:1.31.0\nCOPY graylane.wasm /usr/local/share/graylane/graylane.wasm\n"
        );
        assert_eq!(read("graylane.wasm"), "module");
    }

    #[test]
    fn a_base_that_is_no_image_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for base in ["", "a b", "a\nRUN rm", "--platform=x", "$BASE"] {
            let error = write(base, b"module", folder.path()).unwrap_err().to_string();
            assert!(error.contains("expected the proxy's"), "{base:?}: {error}");
        }
    }
}
