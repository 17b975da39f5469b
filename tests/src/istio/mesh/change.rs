//! What happens to pods of a running mesh.

use anyhow::{Context, Result};

use super::super::declare::Pod;
use super::super::objects;
use super::{Mesh, PodHandle};

impl Mesh<'_> {
    /// Adds a pod to a namespace, as a deployment that is scaled up.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn add(&mut self, namespace: &str, pod: Pod) -> Result<()> {
        self.add_pods(vec![(namespace.to_owned(), pod)]).await
    }

    /// Removes a pod: it leaves the endpoints, then its processes end.
    ///
    /// # Errors
    /// When there is none, or the change does not get everywhere.
    pub async fn remove(&mut self, name: &str) -> Result<()> {
        let pod = self.pods.remove(name).with_context(|| format!("there is no pod `{name}`"))?;
        self.publish_endpoints().await?;
        self.plane.kube.delete_object(&objects::pod(&pod.namespace, &pod.pod)).await?;
        self.plane.push().await
    }

    /// Makes a pod ready or not ready, as its readiness probe would, and waits until every proxy knows.
    ///
    /// # Errors
    /// When there is none, or the change does not get everywhere.
    pub async fn set_ready(&mut self, name: &str, ready: bool) -> Result<()> {
        let pod = self.known(name)?;
        pod.pod.ready = ready;
        let (object, status) =
            (objects::pod(&pod.namespace, &pod.pod), objects::pod_status(pod.address, ready));
        self.plane.kube.set_status(&object, &status).await?;
        self.publish_endpoints().await?;
        self.plane.push().await
    }

    /// Kills a pod's proxy; Kubernetes does not notice.
    ///
    /// # Errors
    /// When there is no such pod.
    pub fn kill_proxy(&mut self, name: &str) -> Result<()> {
        self.known(name)?.proxy = None;
        Ok(())
    }

    /// Kills a pod's application; its proxy stays, and Kubernetes does not notice.
    ///
    /// # Errors
    /// When there is no such pod.
    pub fn kill_app(&mut self, name: &str) -> Result<()> {
        self.known(name)?.app = None;
        Ok(())
    }

    /// Restarts a pod's proxy, with empty state.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart_proxy(&mut self, name: &str) -> Result<()> {
        let plane = self.plane;
        let pod = self.known(name)?;
        pod.proxy = None;
        pod.start_proxy(plane).await?;
        plane.push().await
    }

    fn known(&mut self, name: &str) -> Result<&mut PodHandle> {
        self.pods.get_mut(name).with_context(|| format!("there is no pod `{name}`"))
    }
}
