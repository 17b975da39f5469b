//! Where the control plane's programs are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use graylane::envoy::locate;

/// Names the folder that `.ci/istio-tools` prints.
const VARIABLE: &str = "GRAYLANE_ISTIO_TOOLS";

/// The programs of a control plane, and an Envoy.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
    /// Envoy.
    pub envoy: PathBuf,
}

impl Tools {
    /// Takes those of `$GRAYLANE_ISTIO_TOOLS`, and the Envoy that everything else here uses.
    ///
    /// # Errors
    /// When they are not there.
    pub fn find() -> Result<Self> {
        let folder = std::env::var_os(VARIABLE)
            .with_context(|| format!("${VARIABLE} is not set: use `make e2e-istio`"))?;
        let folder = PathBuf::from(folder);
        ensure!(
            folder.join("bin/istiod").is_file(),
            "${VARIABLE} is {}, where no istiod is",
            folder.display()
        );
        Ok(Self { folder, envoy: locate()? })
    }

    /// A program by its name: istiod, istioctl, pilot-agent, kube-apiserver, kubectl, etcd, registry, crane.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// Istio's CRDs, as its installation applies them.
    #[must_use]
    pub fn crds(&self) -> PathBuf {
        self.file("crds.yaml")
    }

    /// A folder with the CRDs of the Gateway API, of its standard channel; they lie beside istioctl.
    ///
    /// # Errors
    /// When istioctl is not there.
    pub fn gateway_api(&self) -> Result<PathBuf> {
        Ok(self.program("istioctl").canonicalize()?.with_file_name("standard"))
    }

    /// The template of Envoy's bootstrap, as it is in Istio's proxy image.
    #[must_use]
    pub fn bootstrap_template(&self) -> PathBuf {
        self.file("envoy_bootstrap.json")
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(&self.folder).join(name)
    }
}
