//! A Git server on loopback, as a repository of a team has one, and a clone of it: `git http-backend` behind a small HTTP server.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// The file in the repository.
pub const FILE: &str = "graylane.yaml";

/// Largest request, in bytes.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The branch.
pub const BRANCH: &str = "main";

/// A bare repository that is served for as long as this lives, and a clone of it.
pub struct Git {
    /// Its URL.
    pub url: String,
    /// The clone, to work in.
    pub clone: PathBuf,
    task: JoinHandle<()>,
}

impl Git {
    /// Makes both, in a folder: empty.
    pub async fn start(folder: &Path) -> Result<Self> {
        let root = folder.join("git");
        let (bare, clone) = (root.join("mesh.git"), folder.join("clone"));
        std::fs::create_dir_all(&root)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/mesh.git", listener.local_addr()?);
        let router = Router::new().fallback(serve).with_state(root);
        let task = tokio::spawn(async move {
            // It ends with the scenario.
            let _ = axum::serve(listener, router).await;
        });
        let git = Self { url, clone, task };
        let branch = format!("--initial-branch={BRANCH}");
        command(folder, &["init", "--quiet", "--bare", &branch, &bare.display().to_string()]).await?;
        for (key, value) in [
            ("http.receivepack", "true"),
            ("receive.denyNonFastForwards", "true"),
            ("uploadpack.allowFilter", "true"),
        ] {
            command(&bare, &["config", key, value]).await?;
        }
        command(folder, &["clone", "--quiet", &git.url, &git.clone.display().to_string()]).await?;
        for (key, value) in [("user.name", "Rita Rollout"), ("user.email", "rita@example.com")] {
            git.run(&["config", key, value]).await?;
        }
        Ok(git)
    }

    /// Runs git in the clone; its output.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        command(&self.clone, arguments).await
    }

    /// Commits everything in the clone, and pushes it; the commit.
    pub async fn commit(&self, message: &str) -> Result<String> {
        self.run(&["add", "--all"]).await?;
        self.run(&["commit", "--quiet", "--message", message]).await?;
        self.run(&["push", "--quiet", "origin", BRANCH]).await?;
        self.run(&["rev-parse", "HEAD"]).await
    }
}

impl Drop for Git {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs git in a folder, without the configuration of whoever runs the tests.
async fn command(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = bare_git(arguments).current_dir(folder).stdin(Stdio::null()).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {}: {}", arguments.join(" "), said.trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn bare_git(arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(arguments)
        .kill_on_drop(true)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

async fn serve(State(root): State<PathBuf>, request: Request) -> Response {
    match backend(&root, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response(),
    }
}

/// One request, by CGI (RFC 3875).
async fn backend(root: &Path, request: Request) -> Result<Response> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_BYTES).await?;
    let output = cgi(root, &head, &body).await?;
    let end = output.stdout.windows(4).position(|four| four == b"\r\n\r\n");
    let end =
        end.with_context(|| format!("git http-backend: {}", String::from_utf8_lossy(&output.stderr)))?;
    let (fields, content) = output.stdout.split_at(end);
    let mut response = Bytes::copy_from_slice(&content[4..]).into_response();
    response.headers_mut().clear();
    for line in std::str::from_utf8(fields)?.lines() {
        let (name, value) = line.split_once(": ").with_context(|| format!("`{line}` is no header"))?;
        if name == "Status" {
            *response.status_mut() = value.split(' ').next().unwrap_or_default().parse()?;
        } else {
            response.headers_mut().append(name.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
        }
    }
    Ok(response)
}

async fn cgi(root: &Path, head: &Parts, body: &[u8]) -> Result<Output> {
    let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut child = bare_git(&["http-backend"])
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROTOCOL", field("git-protocol"))
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", field("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", field("content-encoding"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start git")?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let write = async {
        // If it ends before it has read everything, its own words say why.
        let _ = stdin.write_all(body).await;
        drop(stdin);
    };
    Ok(tokio::join!(write, child.wait_with_output()).1?)
}

/// Commits and pushes a file; the hook renders it.
pub async fn commit(git: &Git, document: &str, message: &str) -> Result<()> {
    std::fs::write(git.clone.join(FILE), document)?;
    let commit = git.commit(message).await?;
    let files = git.run(&["show", "--name-only", "--format=", &commit]).await?;
    let both = [FILE, "rendered/"].iter().all(|name| files.contains(name));
    ensure!(both, "the commit does not have what the hook rendered: {files}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_pushed_is_what_others_fetch_and_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::start(folder.path()).await.unwrap();
        std::fs::write(git.clone.join("file"), "1\n".repeat(100_000)).unwrap();
        let first = git.commit("one").await.unwrap();
        std::fs::write(git.clone.join("file"), "2\n").unwrap();
        let second = git.commit("two").await.unwrap();
        let heads = git.run(&["ls-remote", "origin", BRANCH]).await.unwrap();
        assert_eq!(heads.split_whitespace().next(), Some(second.as_str()));
        git.run(&["reset", "--quiet", "--hard", &first]).await.unwrap();
        let refused = git.run(&["push", "--quiet", "--force", "origin", BRANCH]).await.unwrap_err();
        assert!(refused.to_string().contains("non-fast-forward"), "{refused}");
    }
}
