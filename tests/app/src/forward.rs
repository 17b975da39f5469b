//! Ports of another network namespace on loopback of this one, for as long as a process lives.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Listens on each port here, and connects to the same port of loopback in the network of a process. Returns when that
/// process ends.
pub async fn run(process: i32, ports: &[&str]) -> Result<()> {
    let pid = Pid::from_raw(process).context("0 is no process")?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
    // A socket stays in the namespace where it was made: these are here, all later ones are there.
    let mut listeners = Vec::new();
    for port in ports {
        let port: u16 = port.parse().with_context(|| format!("`{port}` is no port"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        listeners.push((listener.with_context(|| format!("port {port} of 127.0.0.1"))?, port));
    }
    let namespace = File::open(format!("/proc/{process}/ns/net"))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    for (listener, port) in listeners {
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                tokio::spawn(async move {
                    if let Ok(mut there) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                        // Either side may hang up as it likes.
                        let _ = copy_bidirectional(&mut here, &mut there).await;
                    }
                });
            }
        });
    }
    // Readable when the process has ended.
    let ended = move || poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], None);
    tokio::task::spawn_blocking(ended).await??;
    Ok(())
}
