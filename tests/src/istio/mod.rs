//! A real Istio without containers: istiod, a Kubernetes API server and its store as plain processes, and Envoys that
//! get everything from them, in a network of their own.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use graylane_tests::istio::{ControlPlane, Pod, Service, Tools};
//!
//! let plane = ControlPlane::start(&Tools::find()?).await?;
//! let mesh = plane
//!     .mesh("shop")
//!     .service(Service::new("api").port(8080, 9080).selector(&[("app", "api")]))
//!     .pod(Pod::sidecar("api-v1").labels(&[("app", "api"), ("version", "v1")]))
//!     .pod(Pod::sidecar("client"))
//!     .create()
//!     .await?;
//! plane.apply("kind: VirtualService …").await?; // returns when every proxy runs with it
//! let answer = mesh.pod("client").call("api:8080").header("tenant", "gray-v1").send().await?;
//! assert_eq!(answer.pod.as_deref(), Some("api-v1"));
//! # Ok(())
//! # }
//! ```
//!
//! What is real, what is played, and how to look into it: `tests/istio/README.md`.

mod agent;
mod app;
mod call;
mod chains;
mod cluster;
mod control_plane;
mod declare;
mod kube;
mod mesh;
mod network;
mod objects;
mod process;
mod proxy;
mod push;
mod registry;
mod reset;
mod several;
mod sidecar;
mod tools;
mod wait;

pub use app::{INTERNAL, LEAKED};
pub use call::{Answer, Call, Count};
pub use chains::chains;
pub use cluster::Cluster;
pub use control_plane::ControlPlane;
pub use declare::{Kind, Pod, Service};
pub use kube::Kube;
pub use mesh::{Mesh, Plan, PodHandle};
pub use network::require_own_network;
pub use process::Process;
pub use proxy::{Endpoint, Plugin, Proxy};
pub use registry::Registry;
pub use sidecar::VERSION_LABEL;
pub use tools::Tools;
pub use wait::{Look, until};
