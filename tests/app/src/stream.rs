//! Calls that stay open, for as many seconds as the query says: a number every tenth of a second, by server-sent events,
//! WebSocket, and a gRPC stream. The last message says that it is the last, so that a caller knows a stream that was cut.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt as _, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use serde::Deserialize;

const TICK: Duration = Duration::from_millis(100);
/// The last message.
const LAST: &str = "last";

/// How long a stream is.
#[derive(Debug, Deserialize)]
pub struct Length {
    seconds: u64,
}

/// Numbers, and the last word.
fn ticks(length: &Length) -> impl Stream<Item = String> + Send + 'static {
    let count = length.seconds * 10;
    stream::unfold(0, move |number| async move {
        if number > count {
            return None;
        }
        tokio::time::sleep(TICK).await;
        Some((if number == count { LAST.to_owned() } else { number.to_string() }, number + 1))
    })
}

/// Server-sent events.
pub async fn events(Query(length): Query<Length>) -> Response {
    let body = ticks(&length).map(|text| Ok::<_, Infallible>(format!("data: {text}\n\n")));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

/// A WebSocket.
pub async fn socket(Query(length): Query<Length>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket: WebSocket| {
        // The client hung up.
        let _ = ticks(&length).map(|text| Ok(Message::Text(text.into()))).forward(socket).await;
    })
}

/// A stream as gRPC frames it: a byte for the compression, four for the length, the message; the status is a trailer.
pub async fn grpc(Query(length): Query<Length>) -> Response {
    let messages = ticks(&length).map(|text| {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Frame::data(Bytes::from([&[0], length.to_be_bytes().as_slice(), text.as_bytes()].concat()))
    });
    let status =
        HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let frames = messages.chain(stream::iter([Frame::trailers(status)])).map(Ok::<_, Infallible>);
    ([(header::CONTENT_TYPE, "application/grpc")], Body::new(StreamBody::new(frames))).into_response()
}
